package dev.penstock.management;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import com.typesafe.config.ConfigFactory;
import dev.penstock.management.RequestDeadlines.Waits;
import dev.penstock.management.api.Api;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import javax.net.ssl.SSLContext;
import org.apache.pekko.NotUsed;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.http.javadsl.ConnectionContext;
import org.apache.pekko.http.javadsl.Http;
import org.apache.pekko.http.javadsl.ServerBinding;
import org.apache.pekko.http.javadsl.model.ContentTypes;
import org.apache.pekko.http.javadsl.model.HttpEntities;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.MediaTypes;
import org.apache.pekko.stream.javadsl.BidiFlow;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.javadsl.Source;
import org.apache.pekko.util.ByteString;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/// Clients that say what they want a byte at a time.
@Timeout(60)
final class RequestDeadlinesTest {
  private static final Duration PATIENCE = Duration.ofSeconds(20);
  private static final Duration LONG = Duration.ofMinutes(5);
  private static final InetSocketAddress ANY_PORT =
      new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
  private static ActorTestKit kit;

  @BeforeAll
  static void startSystem() {
    kit = ActorTestKit.create("deadlines", ConfigFactory.load());
  }

  @AfterAll
  static void stopSystem() {
    kit.shutdownTestKit();
  }

  private static ManagementServer server(Waits waits) throws Exception {
    return ManagementServer.bind(
            kit.system(),
            ANY_PORT,
            new PrometheusRegistry(),
            List::of,
            null,
            ManagementServer.Parts.none(),
            waits)
        .toCompletableFuture()
        .get(20, TimeUnit.SECONDS);
  }

  private static void stop(ManagementServer server) throws Exception {
    server.close(Duration.ofSeconds(1)).toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  private static Socket connect(InetSocketAddress to) throws IOException {
    var socket = new Socket(to.getAddress(), to.getPort());
    socket.setSoTimeout((int) PATIENCE.toMillis());
    return socket;
  }

  private static void say(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
  }

  private static String ok(Socket socket) throws IOException {
    say(socket, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    var lines =
        new BufferedReader(
            new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
    String status = lines.readLine();
    while (!lines.readLine().isEmpty()) {
      // Headers.
    }
    assertThat(lines.readLine()).isEqualTo("ok");
    return status;
  }

  /// Whether the other end ends the connection, in whatever way; what it says before does not
  /// count.
  private static boolean isEnded(Socket socket) {
    try {
      socket.getInputStream().readAllBytes();
      return true;
    } catch (SocketException reset) {
      return true;
    } catch (IOException notYet) {
      return false;
    }
  }

  /// Says a byte of it every 50 ms until the other end has had enough.
  private static Runnable dribble(Socket socket, String text) {
    var at = new AtomicInteger();
    return () -> {
      try {
        say(socket, String.valueOf(text.charAt(at.getAndIncrement() % text.length())));
      } catch (IOException e) {
        throw new IllegalStateException("enough", e);
      }
    };
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "G", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: "})
  void manySlowHeadsAreEndedAndOthersAreAnsweredMeanwhile(String begin) throws Exception {
    ManagementServer server = server(new Waits(Duration.ofMillis(500), LONG, LONG));
    var slow = new ArrayList<Socket>();
    try (var dribbling = Executors.newScheduledThreadPool(2);
        Socket other = connect(server.address())) {
      assertThat(ok(other)).startsWith("HTTP/1.1 200");
      for (int i = 0; i < 100; i++) {
        Socket socket = connect(server.address());
        slow.add(socket);
        say(socket, begin);
        if (!begin.isEmpty()) {
          dribbling.scheduleAtFixedRate(dribble(socket, "x"), 50, 50, TimeUnit.MILLISECONDS);
        }
      }
      assertThat(ok(other)).startsWith("HTTP/1.1 200");
      for (Socket socket : slow) {
        assertThat(isEnded(socket)).isTrue();
      }
      assertThat(ok(other)).startsWith("HTTP/1.1 200");
      dribbling.shutdownNow();
    } finally {
      for (Socket socket : slow) {
        socket.close();
      }
      stop(server);
    }
  }

  @Test
  void aSecondRequestThatDoesNotComeEndsTheConnection() throws Exception {
    ManagementServer server = server(new Waits(LONG, Duration.ofMillis(500), LONG));
    try (Socket socket = connect(server.address())) {
      assertThat(ok(socket)).startsWith("HTTP/1.1 200");
      assertThat(ok(socket)).startsWith("HTTP/1.1 200");
      say(socket, "GET /heal");
      assertThat(isEnded(socket)).isTrue();
    } finally {
      stop(server);
    }
  }

  @Test
  void aSlowBodyThatNobodyReadsEndsTheConnection() throws Exception {
    ManagementServer server = server(new Waits(LONG, LONG, Duration.ofMillis(500)));
    try (var dribbling = Executors.newScheduledThreadPool(1);
        Socket socket = connect(server.address());
        Socket other = connect(server.address())) {
      say(
          socket,
          "POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\nbegin");
      dribbling.scheduleAtFixedRate(dribble(socket, "x"), 50, 50, TimeUnit.MILLISECONDS);
      assertThat(isEnded(socket)).isTrue();
      assertThat(ok(other)).startsWith("HTTP/1.1 200");
      dribbling.shutdownNow();
    } finally {
      stop(server);
    }
  }

  /// The server would log an earlier answer, and anybody could fill the log with that.
  @Test
  void anAnswerComesAfterTheEndOfABodyThatNobodyWantsAndNothingIsLogged() throws Exception {
    var logged = new ListAppender<ILoggingEvent>();
    var root = (Logger) LoggerFactory.getLogger("org.apache.pekko");
    ManagementServer server = server(new Waits(LONG, LONG, LONG));
    logged.start();
    root.addAppender(logged);
    try (Socket socket = connect(server.address())) {
      say(socket, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n");
      say(socket, "12345");
      readUntil(socket, "ok\n");
      // The connection goes on.
      assertThat(ok(socket)).startsWith("HTTP/1.1 200");
      assertThat(List.copyOf(logged.list)).isEmpty();
    } finally {
      root.detachAppender(logged);
      stop(server);
    }
  }

  @Test
  void anAnswerThatLastsIsNotCutShort() throws Exception {
    var late = new AtomicInteger();
    ServerBinding binding =
        bind(
            new RequestDeadlines(
                new Waits(LONG, Duration.ofMillis(200), LONG), late::incrementAndGet),
            _ -> tenTicks());
    try (Socket socket = connect(binding.localAddress())) {
      say(socket, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      String all = new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
      assertThat(all.split("tick", -1)).as(all).hasSize(11);
      assertThat(all).endsWith("0\r\n\r\n");
      assertThat(late).hasValue(0);
    } finally {
      binding.terminate(Duration.ofSeconds(1)).toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
  }

  private ServerBinding bind(RequestDeadlines deadlines, Function<HttpRequest, HttpResponse> answer)
      throws Exception {
    return Http.get(kit.system())
        .newServerAt("127.0.0.1", 0)
        .bindFlow(BidiFlow.fromGraph(deadlines).join(Flow.of(HttpRequest.class).map(answer::apply)))
        .toCompletableFuture()
        .get(20, TimeUnit.SECONDS);
  }

  /// One second of them.
  private static HttpResponse tenTicks() {
    return HttpResponse.create()
        .withEntity(
            HttpEntities.create(
                ContentTypes.TEXT_PLAIN_UTF8,
                Source.tick(Duration.ZERO, Duration.ofMillis(100), ByteString.fromString("tick"))
                    .take(10)));
  }

  /// How somebody goes who has read the first event.
  enum Going {
    CLOSED,
    HALF_CLOSED,
    RESET;

    void leave(Socket socket) throws IOException {
      switch (this) {
        case CLOSED -> socket.close();
        case HALF_CLOSED -> socket.shutdownOutput();
        case RESET -> {
          socket.setSoLinger(true, 0);
          socket.close();
        }
      }
    }
  }

  /// Nothing is told meanwhile that could fail.
  @ParameterizedTest
  @EnumSource
  void itIsKnownAtOnceThatAReaderHasGone(Going going) throws Exception {
    var gone = new AtomicReference<CompletionStage<NotUsed>>();
    ServerBinding binding =
        bind(
            new RequestDeadlines(new Waits(LONG, LONG, LONG), () -> {}),
            request -> {
              gone.set(request.getAttribute(Api.GONE).orElseThrow());
              return oneEvent();
            });
    try (Socket socket = connect(binding.localAddress())) {
      say(socket, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      readUntil(socket, "data: first");
      assertThat(gone.get().toCompletableFuture()).isNotDone();
      going.leave(socket);
      assertThat(gone.get()).succeedsWithin(PATIENCE);
    } finally {
      binding.terminate(Duration.ofSeconds(1)).toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
  }

  @ParameterizedTest
  @EnumSource
  void itIsKnownAtOnceThatAReaderHasGoneOverTls(Going going) throws Exception {
    X509Bundle server =
        new CertificateBuilder()
            .subject("CN=localhost")
            .ecp256()
            .setIsCertificateAuthority(true)
            .buildSelfSigned();
    var keys = SSLContext.getInstance("TLS");
    keys.init(server.toKeyManagerFactory().getKeyManagers(), null, null);
    var gone = new AtomicReference<CompletionStage<NotUsed>>();
    ServerBinding binding =
        Http.get(kit.system())
            .newServerAt("127.0.0.1", 0)
            .enableHttps(ConnectionContext.httpsServer(keys))
            .bindFlow(
                BidiFlow.fromGraph(new RequestDeadlines(new Waits(LONG, LONG, LONG), () -> {}))
                    .join(
                        Flow.of(HttpRequest.class)
                            .map(request -> {
                              gone.set(request.getAttribute(Api.GONE).orElseThrow());
                              return oneEvent();
                            })))
            .toCompletableFuture()
            .get(20, TimeUnit.SECONDS);
    var trust = SSLContext.getInstance("TLS");
    trust.init(null, InsecureTrustManagerFactory.INSTANCE.getTrustManagers(), null);
    try (Socket below = connect(binding.localAddress());
        Socket socket =
            trust.getSocketFactory().createSocket(below, "localhost", below.getPort(), true)) {
      say(socket, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      readUntil(socket, "data: first");
      assertThat(gone.get().toCompletableFuture()).isNotDone();
      going.leave(going == Going.RESET ? below : socket);
      assertThat(gone.get()).succeedsWithin(PATIENCE);
    } finally {
      binding.terminate(Duration.ofSeconds(1)).toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
  }

  /// Whoever says at once that there is nothing more to come wants the answer nevertheless.
  @Test
  void anAnswerWithAnEndIsToldToOneWhoHasClosedTheOtherDirection() throws Exception {
    ServerBinding binding =
        bind(new RequestDeadlines(new Waits(LONG, LONG, LONG), () -> {}), _ -> tenTicks());
    try (Socket socket = connect(binding.localAddress())) {
      say(socket, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      socket.shutdownOutput();
      String all = new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
      assertThat(all.split("tick", -1)).as(all).hasSize(11);
    } finally {
      binding.terminate(Duration.ofSeconds(1)).toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
  }

  /// And then none for longer than the test lasts.
  private static HttpResponse oneEvent() {
    return HttpResponse.create()
        .withEntity(
            HttpEntities.create(
                MediaTypes.TEXT_EVENT_STREAM.toContentType(),
                Source.single(ByteString.fromString("data: first\n\n")).concat(Source.maybe())));
  }

  private static void readUntil(Socket socket, String text) throws IOException {
    var read = new StringBuilder();
    while (read.indexOf(text) < 0) {
      int next = socket.getInputStream().read();
      assertThat(next).as(read.toString()).isNotNegative();
      read.append((char) next);
    }
  }

  @Test
  void connectionsWithoutEvenOneRequestAreCounted() throws Exception {
    var late = new AtomicInteger();
    ServerBinding binding =
        bind(
            new RequestDeadlines(
                new Waits(Duration.ofMillis(300), LONG, LONG), late::incrementAndGet),
            _ -> HttpResponse.create());
    try (Socket socket = connect(binding.localAddress())) {
      assertThat(isEnded(socket)).isTrue();
      await().atMost(PATIENCE).until(() -> late.get() == 1);
    } finally {
      binding.terminate(Duration.ofSeconds(1)).toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
  }
}
