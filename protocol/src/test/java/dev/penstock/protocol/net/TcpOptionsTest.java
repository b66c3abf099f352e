package dev.penstock.protocol.net;

import static dev.penstock.protocol.net.TestNode.PATIENCE;
import static dev.penstock.protocol.net.TestNode.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.net.EventLoops.Transport;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.socket.nio.NioChannelOption;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import jdk.net.ExtendedSocketOptions;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/// What a connection is told at its start, and what becomes of one over which nothing goes.
@ParameterizedClass
@EnumSource(Transport.class)
final class TcpOptionsTest {
  private static TestNode node;
  private static Transport transport;

  private ServerSocket service;
  private Socket accepted;
  private TcpConnection connection;

  TcpOptionsTest(Transport ignored) {}

  @BeforeParameterizedClassInvocation
  static void start(Transport on) {
    transport = on;
    node = TestNode.start(on);
  }

  @AfterParameterizedClassInvocation
  static void stop() {
    node.close();
  }

  @BeforeEach
  void listen() throws IOException {
    service = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
  }

  @AfterEach
  void closeAll() throws IOException {
    if (connection != null) {
      connection.reset();
    }
    if (accepted != null) {
      accepted.close();
    }
    service.close();
  }

  private void connect(TcpOptions options) throws IOException {
    connection =
        await(
            Tcp.connect(
                node.loops(), node.loop(), "127.0.0.1", service.getLocalPort(), PATIENCE, options));
    accepted = service.accept();
    accepted.setSoTimeout((int) PATIENCE.toMillis());
  }

  /// As the system says it: idle time and interval in seconds.
  private List<Integer> keepAliveSeconds() {
    var config = connection.channel().config();
    return transport == Transport.EPOLL
        ? List.of(
            config.getOption(EpollChannelOption.TCP_KEEPIDLE),
            config.getOption(EpollChannelOption.TCP_KEEPINTVL))
        : List.of(
            config.getOption(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPIDLE)),
            config.getOption(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPINTERVAL)));
  }

  @Test
  void theTimesOfKeepAliveAreSetOnTheSocket() throws IOException {
    connect(new TcpOptions(Duration.ofSeconds(17), 0));
    assertThat(connection.channel().config().getOption(ChannelOption.SO_KEEPALIVE)).isTrue();
    assertThat(keepAliveSeconds()).containsExactly(17, 17);
  }

  @Test
  void keepAliveMayBeOff() throws IOException {
    connect(new TcpOptions(null, 0));
    assertThat(connection.channel().config().getOption(ChannelOption.SO_KEEPALIVE)).isFalse();
  }

  @Test
  void timesThatASocketCannotHaveAreRefused() {
    for (Duration period : List.of(Duration.ZERO, Duration.ofMillis(999), Duration.ofDays(1))) {
      assertThatThrownBy(() -> new TcpOptions(period, 0))
          .hasMessageContaining("keepAlive: " + period);
    }
    assertThatThrownBy(() -> new TcpOptions(null, -1)).hasMessageContaining("largestRead: -1");
  }

  @Test
  void noPieceIsLargerThanTheLargestRead() throws Exception {
    assertThat(largestPiece(3000)).isBetween(1500, 3000);
    assertThat(largestPiece(0)).isGreaterThan(32 * 1024);
  }

  /// Of four mebibytes that a service sends.
  private int largestPiece(int largestRead) throws Exception {
    connect(new TcpOptions(null, largestRead));
    var sent =
        CompletableFuture.runAsync(() -> {
          try (var out = accepted.getOutputStream()) {
            out.write(new byte[4 * 1024 * 1024]);
          } catch (IOException e) {
            throw new AssertionError(e);
          }
        });
    var hands = Hands.on(connection.flow(), node.loop(), node.actors());
    int largest = 0;
    for (ByteBuffer piece = hands.take(); piece != null; piece = hands.take()) {
      largest = Math.max(largest, piece.remaining());
    }
    sent.get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
    connection.reset();
    return largest;
  }

  private CompletableFuture<Long> idleAfter(Duration timeout) {
    var idle = new CompletableFuture<Long>();
    node.loop().execute(() -> connection.onIdle(timeout, () -> idle.complete(System.nanoTime())));
    return idle;
  }

  @Test
  void aSilentConnectionIsFoundAfterItsTimeAndNotBefore() throws IOException {
    connect(TcpOptions.defaults());
    Hands.on(connection.flow(), node.loop(), node.actors());
    long start = System.nanoTime();
    long found = await(idleAfter(Duration.ofMillis(160)));
    assertThat(Duration.ofNanos(found - start)).isGreaterThanOrEqualTo(Duration.ofMillis(160));
  }

  @Test
  void bytesInEitherDirectionKeepItAlive() throws IOException {
    connect(TcpOptions.defaults());
    var hands = Hands.on(connection.flow(), node.loop(), node.actors());
    var timeout = Duration.ofMillis(400);
    var idle = idleAfter(timeout);
    for (Runnable move : List.<Runnable>of(() -> say(hands), () -> hands.put(Hands.bytes("x")))) {
      long last = System.nanoTime();
      long end = last + timeout.multipliedBy(2).toNanos();
      while (System.nanoTime() < end) {
        move.run();
        // Only a machine that stood still for most of the time-out could end it now.
        if (System.nanoTime() - last < timeout.dividedBy(2).toNanos()) {
          assertThat(idle).isNotDone();
        }
        last = System.nanoTime();
      }
    }
    long silent = System.nanoTime();
    assertThat(await(idle)).isGreaterThan(silent);
  }

  private void say(Hands<ByteBuffer> hands) {
    try {
      accepted.getOutputStream().write('x');
      hands.take();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aConnectionThatClosedIsNotWatchedAnyMore() throws IOException {
    connect(TcpOptions.defaults());
    var closed = idleAfter(Duration.ofMillis(100));
    connection.reset();
    var other = connection;
    connect(TcpOptions.defaults());
    await(idleAfter(Duration.ofMillis(300)));
    assertThat(closed).isNotDone();
    assertThat(other.channel().isOpen()).isFalse();
  }

  @Test
  void watchingAnewEndsTheWatchBefore() throws IOException {
    connect(TcpOptions.defaults());
    var first = idleAfter(Duration.ofMillis(100));
    await(idleAfter(Duration.ofMillis(300)));
    assertThat(first).isNotDone();
  }

  @Test
  void eachOfManyIsFoundOnceAndThoseThatLeaveAreForgotten() {
    var loop = node.loops().next();
    var found = new AtomicInteger();
    var left = new AtomicInteger();
    loop.execute(() -> {
      var handles =
          java.util.stream.IntStream.range(0, 100)
              .mapToObj(i ->
                  loop.idleWatch()
                      .watch(
                          () -> 0,
                          Duration.ofMillis(80),
                          (i % 3 == 0 ? left : found)::incrementAndGet))
              .toList();
      for (int i = 0; i < 100; i += 3) {
        handles.get(i).end();
        handles.get(i).end();
      }
    });
    Awaitility.await().atMost(PATIENCE).until(() -> found.get() == 66);
    assertThat(left).hasValue(0);
  }
}
