package dev.penstock.protocol.net;

import static dev.penstock.protocol.net.Hands.bytes;
import static dev.penstock.protocol.net.Hands.takeText;
import static dev.penstock.protocol.net.TestNode.PATIENCE;
import static dev.penstock.protocol.net.TestNode.anyPort;
import static dev.penstock.protocol.net.TestNode.await;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.penstock.protocol.Seeds;
import dev.penstock.protocol.net.EventLoops.Transport;
import java.io.IOException;
import java.net.BindException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.CRC32;
import org.apache.pekko.stream.javadsl.Flow;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource(Transport.class)
final class TcpTest {
  private static TestNode node;

  private final BlockingQueue<TcpConnection> accepted = new LinkedBlockingQueue<>();
  private final List<AutoCloseable> opened = new ArrayList<>();
  private Tcp.Listener listener;

  TcpTest(Transport ignored) {}

  @BeforeParameterizedClassInvocation
  static void start(Transport transport) {
    node = TestNode.start(transport);
  }

  @AfterParameterizedClassInvocation
  static void stop() {
    node.close();
  }

  @BeforeEach
  void listen() {
    listener = await(listenOn(anyPort()));
  }

  @AfterEach
  void closeAll() throws Exception {
    TestNode.end(listener);
    for (AutoCloseable one : opened) {
      one.close();
    }
  }

  private CompletableFuture<Tcp.Listener> listenOn(InetSocketAddress address) {
    return Tcp.listen(
            node.loops(),
            node.loop(),
            address,
            new Tcp.Acceptor() {
              @Override
              public void accepted(TcpConnection connection) {
                accepted.add(connection);
              }

              @Override
              public void acceptFailed(String why) {
                throw new AssertionError(why);
              }
            })
        .toCompletableFuture();
  }

  private Socket client() throws IOException {
    var socket = new Socket();
    opened.add(socket);
    socket.connect(listener.address());
    socket.setSoTimeout((int) PATIENCE.toMillis());
    return socket;
  }

  private TcpConnection unregistered() throws InterruptedException {
    var connection = accepted.poll(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
    assertThat(connection).isNotNull();
    return connection;
  }

  private TcpConnection server() throws InterruptedException {
    var connection = unregistered();
    await(connection.register(node.loop()));
    return connection;
  }

  private Hands<ByteBuffer> hold(TcpConnection connection) {
    return Hands.on(connection.flow(), connection.loop(), node.actors());
  }

  private void echo(TcpConnection connection) {
    connection
        .flow()
        .join(Flow.<ByteBuffer>create())
        .withAttributes(connection.loop().attributes())
        .run(node.actors());
  }

  private static void send(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(UTF_8));
  }

  private static String read(Socket socket, int length) throws IOException {
    return new String(socket.getInputStream().readNBytes(length), UTF_8);
  }

  private static void resetFrom(Socket socket) throws IOException {
    socket.setSoLinger(true, 0);
    socket.close();
  }

  private static CountDownLatch closing(TcpConnection connection) {
    var closed = new CountDownLatch(1);
    connection.onClosed(closed::countDown);
    return closed;
  }

  private static void assertClosed(CountDownLatch closed) throws InterruptedException {
    assertThat(closed.await(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)).isTrue();
  }

  @Test
  void whatIsEchoedComesBackUnchanged() throws Exception {
    int size = 64 * 1024 * 1024;
    var client = client();
    var connection = server();
    var closed = closing(connection);
    echo(connection);
    var sent = new CRC32();
    var writer =
        CompletableFuture.runAsync(() -> {
          try {
            var random = new Random(Seeds.many().findFirst().orElseThrow());
            byte[] block = new byte[100_000];
            for (int left = size; left > 0; left -= block.length) {
              random.nextBytes(block);
              int length = Math.min(left, block.length);
              sent.update(block, 0, length);
              client.getOutputStream().write(block, 0, length);
            }
            client.shutdownOutput();
          } catch (IOException e) {
            throw new CompletionException(e);
          }
        });
    var received = new CRC32();
    long length = 0;
    byte[] block = new byte[100_000];
    for (int n = client.getInputStream().read(block);
        n >= 0;
        n = client.getInputStream().read(block)) {
      received.update(block, 0, n);
      length += n;
    }
    await(writer);
    assertThat(length).isEqualTo(size);
    assertThat(received.getValue()).isEqualTo(sent.getValue());
    assertClosed(closed);
  }

  @Test
  void afterThePeersEndWeGoOnSending() throws Exception {
    var client = client();
    var connection = server();
    var closed = closing(connection);
    var hands = hold(connection);
    send(client, "last words");
    client.shutdownOutput();
    assertThat(takeText(hands, 99)).isEqualTo("last words(end)");
    hands.put(bytes("an answer"));
    assertThat(read(client, 9)).isEqualTo("an answer");
    assertThat(closed.getCount()).isEqualTo(1);
    hands.finish();
    assertThat(client.getInputStream().read()).isEqualTo(-1);
    assertClosed(closed);
  }

  @Test
  void afterOurEndThePeerGoesOnSending() throws Exception {
    var client = client();
    var connection = server();
    var closed = closing(connection);
    var hands = hold(connection);
    hands.put(bytes("last words"));
    hands.finish();
    assertThat(new String(client.getInputStream().readAllBytes(), UTF_8)).isEqualTo("last words");
    send(client, "an answer");
    assertThat(takeText(hands, 9)).isEqualTo("an answer");
    assertThat(closed.getCount()).isEqualTo(1);
    client.shutdownOutput();
    assertThat(hands.take()).isNull();
    assertClosed(closed);
  }

  @Test
  void aResetOfThePeerFailsTheFlow() throws Exception {
    var client = client();
    var connection = server();
    var closed = closing(connection);
    var hands = hold(connection);
    send(client, "x");
    assertThat(takeText(hands, 1)).isEqualTo("x");
    resetFrom(client);
    assertThatThrownBy(hands::take).isInstanceOf(ConnectionLost.class);
    await(hands.ended());
    assertClosed(closed);
  }

  @Test
  void aResetAfterThePeersEndEndsTheFlowWithTheNextWrite() throws Exception {
    var client = client();
    var connection = server();
    var closed = closing(connection);
    var hands = hold(connection);
    client.shutdownOutput();
    assertThat(hands.take()).isNull();
    resetFrom(client);
    var ended = hands.ended().toCompletableFuture();
    // After its end the system tells nothing more of a peer until we write to it.
    Awaitility.await()
        .atMost(PATIENCE)
        .until(() -> ended.isDone() || (hands.offer(bytes("?")) != null && ended.isDone()));
    await(ended);
    assertClosed(closed);
  }

  @Test
  void failingTheInletResetsTheConnection() throws Exception {
    var client = client();
    var hands = hold(server());
    hands.fail(new IllegalStateException("the other side was lost"));
    assertThatThrownBy(() -> client.getInputStream().read())
        .isInstanceOf(SocketException.class)
        .hasMessageContaining("reset");
  }

  @Test
  void cancellingTheOutletResetsTheConnection() throws Exception {
    var client = client();
    var hands = hold(server());
    hands.cancel();
    assertThatThrownBy(() -> client.getInputStream().read())
        .isInstanceOf(SocketException.class)
        .hasMessageContaining("reset");
  }

  @Test
  void detachKeepsTheConnectionAndItsUnreadBytes() throws Exception {
    var client = client();
    var connection = server();
    var first = hold(connection);
    send(client, "one");
    assertThat(takeText(first, 3)).isEqualTo("one");
    first.fail(new Detach());
    assertThatThrownBy(() -> await(first.ended())).isInstanceOf(Detach.class);
    send(client, "two");
    client.shutdownOutput();
    var second = hold(connection);
    // The first hands may have taken one element ahead.
    assertThat(takeText(second, 99)).isEqualTo("two(end)");
    second.fail(new Detach());
    assertThatThrownBy(() -> await(second.ended())).isInstanceOf(Detach.class);
    var third = hold(connection);
    assertThat(third.take()).isNull();
    third.put(bytes("three"));
    third.finish();
    assertThat(new String(client.getInputStream().readAllBytes(), UTF_8)).isEqualTo("three");
  }

  @Test
  void aConnectionMovesToAnotherLoopWithItsUnreadBytes() throws Exception {
    var client = client();
    var connection = server();
    var closed = closing(connection);
    Loop from = connection.loop();
    Loop to = node.loops().get(1 - from.index());
    var first = hold(connection);
    first.put(bytes("hello"));
    assertThat(read(client, 5)).isEqualTo("hello");
    first.fail(new Detach());
    assertThatThrownBy(() -> await(first.ended())).isInstanceOf(Detach.class);
    send(client, "unread");
    await(connection.register(to));
    assertThat(connection.loop()).isEqualTo(to);
    var executor = connection.channel().pipeline().context("connection").executor();
    assertThat(executor).isEqualTo(to.eventLoop());
    var second = hold(connection);
    assertThat(takeText(second, 6)).isEqualTo("unread");
    second.put(bytes("answer"));
    assertThat(read(client, 6)).isEqualTo("answer");
    client.shutdownOutput();
    assertThat(second.take()).isNull();
    second.finish();
    assertThat(client.getInputStream().read()).isEqualTo(-1);
    assertClosed(closed);
  }

  @Test
  void aConnectionThatWasLostCannotMove() throws Exception {
    var client = client();
    var connection = server();
    var closed = closing(connection);
    var hands = hold(connection);
    resetFrom(client);
    assertThatThrownBy(hands::take).isInstanceOf(ConnectionLost.class);
    assertClosed(closed);
    assertThatThrownBy(() -> await(connection.register(node.loops().get(1))))
        .isInstanceOf(ConnectionLost.class);
  }

  @Test
  void resettingAConnectionThatBelongsToNoLoopClosesIt() throws Exception {
    var client = client();
    var connection = unregistered();
    var closed = closing(connection);
    connection.reset();
    assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
    assertClosed(closed);
    assertThatThrownBy(() -> await(connection.register(node.loop())))
        .isInstanceOf(ConnectionLost.class);
  }

  @Test
  void withoutDemandThePeersSendBlocksAndNothingIsLost() throws Exception {
    try (var client = SocketChannel.open(listener.address())) {
      var hands = hold(server());
      client.configureBlocking(false);
      var written = new AtomicLong();
      var block = ByteBuffer.allocate(64 * 1024);
      Awaitility.await()
          .atMost(PATIENCE)
          .during(Duration.ofMillis(300))
          .until(() -> {
            int taken = 0;
            for (int n = -1; n != 0; taken += n) {
              n = client.write(block.clear());
            }
            written.addAndGet(taken);
            return taken == 0;
          });
      assertThat(written.get()).isLessThan(32L * 1024 * 1024);
      client.shutdownOutput();
      assertThat(hands.drain(ByteBuffer::remaining)).isEqualTo(written.get());
    }
  }

  @Test
  void whatWaitsForDemandIsBoundedAlsoWhenThePeerHasFinished() throws Exception {
    var client = client();
    var connection = server();
    var hands = hold(connection);
    send(client, "x".repeat(100));
    assertThat(takeText(hands, 100)).hasSize(100);
    hands.fail(new Detach());
    assertThatThrownBy(() -> await(hands.ended())).isInstanceOf(Detach.class);
    client.getOutputStream().write(new byte[2 * 1024 * 1024]);
    client.shutdownOutput();
    var passes = new AtomicLong();
    Awaitility.await()
        .pollInterval(Duration.ofMillis(10))
        .until(() -> {
          connection.loop().execute(passes::incrementAndGet);
          return passes.get() > 20;
        });
    var held = new CompletableFuture<Integer>();
    connection
        .loop()
        .execute(() -> {
          int sum = 0;
          for (var next = connection.poll(); next != null; next = connection.poll()) {
            sum += next.remaining();
          }
          held.complete(sum);
        });
    int taken = await(held);
    assertThat(taken).isBetween(1, (16 + 2 * 64) * 1024);
    assertThat(hold(connection).drain(ByteBuffer::remaining)).isEqualTo(2 * 1024 * 1024 - taken);
  }

  @Test
  void aSlowPeerStopsTheInlet() throws Exception {
    var client = client();
    var hands = hold(server());
    byte[] block = new byte[64 * 1024];
    int offered = 0;
    var last = hands.offer(ByteBuffer.wrap(block)).toCompletableFuture();
    while (waitsLessThan(last, Duration.ofMillis(300))) {
      offered++;
      assertThat(offered).isLessThan(1000);
      last = hands.offer(ByteBuffer.wrap(block)).toCompletableFuture();
    }
    long expected = (offered + 1L) * block.length;
    var counted =
        CompletableFuture.supplyAsync(() -> {
          try {
            return (long) client.getInputStream().readNBytes((int) expected).length;
          } catch (IOException e) {
            throw new CompletionException(e);
          }
        });
    await(last);
    assertThat(await(counted)).isEqualTo(expected);
  }

  private static boolean waitsLessThan(CompletableFuture<?> future, Duration time)
      throws Exception {
    try {
      future.get(time.toMillis(), TimeUnit.MILLISECONDS);
      return true;
    } catch (java.util.concurrent.TimeoutException _) {
      return false;
    }
  }

  @Test
  void aHalfClosedConnectionThatIsCutEndsItsFlow() throws Exception {
    client().shutdownOutput();
    var connection = server();
    var hands = hold(connection);
    assertThat(hands.take()).isNull();
    connection.reset();
    await(hands.ended());
  }

  @Test
  void aConnectionIsMadeByNameAndByAddress() throws Exception {
    for (String host : List.of("localhost", "127.0.0.1")) {
      var ours = await(connect(host, listener.address().getPort(), PATIENCE));
      var theirs = server();
      assertThat(ours.localAddress()).isEqualTo(theirs.remoteAddress());
      assertThat(ours.loop()).isEqualTo(node.loop());
      var hands = hold(ours);
      echo(theirs);
      hands.put(bytes("ping"));
      assertThat(takeText(hands, 4)).isEqualTo("ping");
      hands.finish();
      assertThat(hands.take()).isNull();
    }
  }

  private static CompletableFuture<TcpConnection> connect(String host, int port, Duration timeout) {
    return Tcp.connect(node.loops(), node.loop(), host, port, timeout).toCompletableFuture();
  }

  private static DialFailure dialFailure(String host, int port, Duration timeout) {
    var failed =
        catchThrowableOfType(RuntimeException.class, () -> await(connect(host, port, timeout)));
    return Tcp.failureOf(failed);
  }

  @Test
  void aPortWithoutAListenerRefuses() {
    TestNode.end(listener);
    var failure = dialFailure("127.0.0.1", listener.address().getPort(), PATIENCE);
    assertThat(failure.kind()).isEqualTo(DialFailure.Kind.REFUSED);
    assertThat(failure).hasMessageContaining("127.0.0.1:" + listener.address().getPort());
    assertThat(dialFailure("localhost", listener.address().getPort(), PATIENCE).kind())
        .isEqualTo(DialFailure.Kind.REFUSED);
  }

  @Test
  void aNameThatDoesNotExistIsNotResolved() {
    var failure = dialFailure("no-such-host.invalid", 80, PATIENCE);
    assertThat(failure.kind()).isEqualTo(DialFailure.Kind.NAME_NOT_RESOLVED);
    assertThat(failure).hasMessageContaining("no-such-host.invalid");
  }

  @Test
  void aMachineThatDoesNotAnswerTimesOut() throws Exception {
    try (var full = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      // Connections that nobody accepts fill the backlog; the next SYN is dropped.
      for (int i = 0; i < 3; i++) {
        var filler = SocketChannel.open();
        opened.add(filler);
        filler.configureBlocking(false);
        filler.connect(full.getLocalSocketAddress());
      }
      var failure = dialFailure("127.0.0.1", full.getLocalPort(), Duration.ofMillis(300));
      assertThat(failure.kind()).isEqualTo(DialFailure.Kind.TIMED_OUT);
    }
  }

  @Test
  void aTakenPortCannotBeListenedOn() {
    assertThatThrownBy(() -> await(listenOn(listener.address())))
        .hasCauseInstanceOf(BindException.class)
        .hasMessageContaining("Address already in use");
  }

  @Test
  void aClosedListenerTakesNoMoreButItsConnectionsGoOn() throws Exception {
    var client = client();
    var connection = server();
    TestNode.end(listener);
    assertThatThrownBy(this::client).isInstanceOf(ConnectException.class);
    echo(connection);
    send(client, "still here");
    assertThat(read(client, 10)).isEqualTo("still here");
  }
}
