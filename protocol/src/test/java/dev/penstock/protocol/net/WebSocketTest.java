package dev.penstock.protocol.net;

import static dev.penstock.protocol.net.RawWebSocket.BINARY;
import static dev.penstock.protocol.net.RawWebSocket.CLOSE;
import static dev.penstock.protocol.net.RawWebSocket.CONTINUATION;
import static dev.penstock.protocol.net.RawWebSocket.FIN;
import static dev.penstock.protocol.net.RawWebSocket.PING;
import static dev.penstock.protocol.net.RawWebSocket.PONG;
import static dev.penstock.protocol.net.RawWebSocket.TEXT;
import static dev.penstock.protocol.net.TestNode.PATIENCE;
import static dev.penstock.protocol.net.TestNode.await;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.Seeds;
import dev.penstock.protocol.net.EventLoops.Transport;
import dev.penstock.protocol.net.WebSocketMessage.Binary;
import dev.penstock.protocol.net.WebSocketMessage.Close;
import dev.penstock.protocol.net.WebSocketMessage.Text;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import java.util.zip.CRC32;
import org.apache.pekko.stream.javadsl.Flow;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

@ParameterizedClass
@EnumSource(Transport.class)
final class WebSocketTest {
  private static final WebSocketSettings SETTINGS =
      new WebSocketSettings(1000, 200_000, Duration.ofSeconds(5));
  private static TestNode node;

  private HttpServer server;

  WebSocketTest(Transport ignored) {}

  @BeforeParameterizedClassInvocation
  static void start(Transport transport) {
    node = TestNode.start(transport);
  }

  @AfterParameterizedClassInvocation
  static void stop() {
    node.close();
  }

  @BeforeEach
  void bind() {
    server = new HttpServer(node, null, SETTINGS);
  }

  @AfterEach
  void unbind() {
    server.close();
  }

  private CompletionStage<WebSocketConnection> connecting(URI uri) {
    return WebSocketClient.connect(
        node.loops(), node.loop(), uri, Map.of("Authorization", "Bearer t"), null, SETTINGS);
  }

  private static Hands<WebSocketMessage> hold(WebSocketConnection connection) {
    return Hands.on(connection.flow(), connection.loop(), node.actors());
  }

  private static Binary binary(byte[]... parts) {
    var buffers = new ByteBuffer[parts.length];
    for (int i = 0; i < parts.length; i++) {
      buffers[i] = ByteBuffer.wrap(parts[i]);
    }
    return new Binary(buffers);
  }

  private static byte[] bytesOf(WebSocketMessage message) {
    var part = ((Binary) message).parts()[0];
    byte[] bytes = new byte[part.remaining()];
    part.duplicate().get(bytes);
    return bytes;
  }

  private static CountDownLatch closing(Connection<?> connection) {
    var closed = new CountDownLatch(1);
    connection.onClosed(closed::countDown);
    return closed;
  }

  private static void assertClosed(CountDownLatch closed) throws InterruptedException {
    assertThat(closed.await(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)).isTrue();
  }

  @Test
  void messagesTravelBothWaysAndTheCloseHandshakeEndsBoth() throws Exception {
    var ours = await(connecting(server.uri("/link?agent=a%20b")));
    var theirs = server.accepted();
    var request = server.requests.take();
    assertThat(request.path()).isEqualTo("/link");
    assertThat(request.parameter("agent")).isEqualTo("a b");
    assertThat(request.authorization()).isEqualTo("Bearer t");
    assertThat(request.secure()).isFalse();
    assertThat(request.remoteAddress()).isEqualTo(ours.localAddress());
    assertThat(request.toString()).doesNotContain("Bearer");

    var closed = closing(ours);
    var closedThere = closing(theirs);
    var client = hold(ours);
    var host = hold(theirs);
    client.put(new Text("grüß dich"));
    assertThat(host.take()).isEqualTo(new Text("grüß dich"));
    host.put(new Text(""));
    assertThat(client.take()).isEqualTo(new Text(""));
    client.put(binary("one ".getBytes(UTF_8), "message".getBytes(UTF_8)));
    assertThat(bytesOf(host.take())).asString(UTF_8).isEqualTo("one message");
    host.put(binary(new byte[150_000]));
    int length = 0;
    while (length < 150_000) {
      length += bytesOf(client.take()).length;
    }
    assertThat(length).isEqualTo(150_000);

    client.put(new Close(4001, "enough"));
    client.finish();
    assertThat(host.take()).isEqualTo(new Close(4001, "enough"));
    assertThat(host.take()).isNull();
    host.finish();
    assertThat(client.take()).isNull();
    assertClosed(closed);
    assertClosed(closedThere);
  }

  /// Of all sizes at which parts are treated differently on their way out.
  private static byte[][] someParts(RandomGenerator random) {
    int[] sizes = {0, 1, 12, 1023, 1024, 1025, 4096, 8179, 8192, 30_000, 65_536};
    var parts = new byte[1 + random.nextInt(8)][];
    int left = SETTINGS.maxFrame();
    for (int i = 0; i < parts.length; i++) {
      parts[i] = new byte[Math.min(left, sizes[random.nextInt(i == 0 ? 1 : 0, sizes.length)])];
      random.nextBytes(parts[i]);
      left -= parts[i].length;
    }
    return parts;
  }

  @ParameterizedTest
  @MethodSource("dev.penstock.protocol.Seeds#few")
  void binaryMessagesOfAnyPartsAreEchoedByteForByte(long seed) throws Exception {
    var random = Seeds.random(seed);
    var ours = await(connecting(server.uri("/link")));
    var theirs = server.accepted();
    theirs
        .flow()
        .join(Flow.<WebSocketMessage>create())
        .withAttributes(theirs.loop().attributes())
        .run(node.actors());
    var client = hold(ours);
    var messages = new ArrayList<Binary>();
    var sent = new CRC32();
    long length = 0;
    for (int i = 0; i < 40; i++) {
      byte[][] parts = someParts(random);
      for (byte[] part : parts) {
        sent.update(part);
        length += part.length;
      }
      messages.add(binary(parts));
    }
    var writing = CompletableFuture.runAsync(() -> messages.forEach(client::put));
    var received = new CRC32();
    for (long count = 0; count < length; ) {
      byte[] next = bytesOf(client.take());
      received.update(next);
      count += next.length;
      assertThat(count).isLessThanOrEqualTo(length);
    }
    writing.join();
    assertThat(received.getValue()).isEqualTo(sent.getValue());
    client.finish();
    assertThat(client.take()).isNull();
  }

  @Test
  void fragmentsOfATextArePutTogetherAndThoseOfBinaryHandedOn() throws Exception {
    try (var client = RawWebSocket.upgraded(server.address())) {
      var host = hold(server.accepted());
      byte[] umlaut = "ü".getBytes(UTF_8);
      client.frame(TEXT, new byte[] {'a', umlaut[0]});
      client.frame(FIN | PING, "between");
      client.frame(CONTINUATION, new byte[] {umlaut[1]});
      client.frame(FIN | CONTINUATION, "z");
      assertThat(host.take()).isEqualTo(new Text("aüz"));
      var pong = client.read();
      assertThat(pong.opcode()).isEqualTo(PONG);
      assertThat(pong.text()).isEqualTo("between");
      client.frame(BINARY, "first");
      client.frame(CONTINUATION, "");
      client.frame(FIN | CONTINUATION, "second");
      assertThat(bytesOf(host.take())).asString(UTF_8).isEqualTo("first");
      assertThat(bytesOf(host.take())).asString(UTF_8).isEqualTo("second");
      client.frame(FIN | CLOSE, "");
      assertThat(host.take()).isEqualTo(new Close(1005, ""));
    }
  }

  private void isClosedWith(int code, byte[] sent) throws Exception {
    try (var client = RawWebSocket.upgraded(server.address())) {
      var connection = server.accepted();
      var closed = closing(connection);
      var host = hold(connection);
      client.send(sent);
      assertThatThrownBy(host::take)
          .isInstanceOfSatisfying(
              WebSocketViolation.class, e -> assertThat(e.code()).isEqualTo(code));
      assertThat(client.readClose().closeCode()).isEqualTo(code);
      client.frame(FIN | CLOSE, new byte[] {(byte) (code >> 8), (byte) code});
      assertThat(client.readByte()).as("one close frame and the end").isEqualTo(-1);
      assertClosed(closed);
    }
  }

  @Test
  void aTextAboveTheLimitIsClosedWith1009() throws Exception {
    isClosedWith(1009, RawWebSocket.encode(FIN | TEXT, new byte[1001]));
  }

  @Test
  void aTextWhoseFragmentsAreAboveTheLimitIsClosedWith1009() throws Exception {
    var first = RawWebSocket.encode(TEXT, new byte[600]);
    var second = RawWebSocket.encode(CONTINUATION, new byte[600]);
    isClosedWith(
        1009, ByteBuffer.allocate(first.length + second.length).put(first).put(second).array());
  }

  @Test
  void aFrameAboveTheLimitIsClosedWith1009BeforeItsPayloadCame() throws Exception {
    byte[] header = RawWebSocket.header(FIN | BINARY, 0x80, 200_001);
    isClosedWith(1009, ByteBuffer.allocate(header.length + 4).put(header).array());
  }

  @Test
  void anUnmaskedFrameIsClosedWith1002() throws Exception {
    isClosedWith(1002, RawWebSocket.header(FIN | BINARY, 0, 0));
  }

  @Test
  void garbageIsClosedWith1002() throws Exception {
    isClosedWith(1002, "GET / HTTP/1.1\r\n\r\n".getBytes(UTF_8));
  }

  @Test
  void aContinuationOfNothingIsClosedWith1002() throws Exception {
    isClosedWith(1002, RawWebSocket.encode(FIN | CONTINUATION, new byte[1]));
  }

  @Test
  void aTextThatIsNotUtf8IsClosedWith1007() throws Exception {
    isClosedWith(1007, RawWebSocket.encode(FIN | TEXT, new byte[] {(byte) 0xc3, 0x28}));
  }

  @Test
  void aServersFrameAboveTheLimitIsClosedWith1009AndOneCloseFrame() throws Exception {
    try (var listening = new ServerSocket(0, 10, TestNode.anyPort().getAddress())) {
      var connecting =
          connecting(URI.create("ws://localhost:" + listening.getLocalPort() + "/link"));
      try (var socket = listening.accept()) {
        socket.setSoTimeout((int) PATIENCE.toMillis());
        var in = new java.io.DataInputStream(socket.getInputStream());
        String key = null;
        for (String line = readLine(in); !line.isEmpty(); line = readLine(in)) {
          if (line.toLowerCase(java.util.Locale.ROOT).startsWith("sec-websocket-key: ")) {
            key = line.substring(19);
          }
        }
        byte[] digest =
            java.security.MessageDigest.getInstance("SHA-1")
                .digest((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").getBytes(UTF_8));
        byte[] head =
            ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    + "Connection: Upgrade\r\nSec-WebSocket-Accept: "
                    + java.util.Base64.getEncoder().encodeToString(digest)
                    + "\r\n\r\n")
                .getBytes(UTF_8);
        // A server may speak in the same packet.
        socket
            .getOutputStream()
            .write(
                ByteBuffer.allocate(head.length + 4)
                    .put(head)
                    .put(new byte[] {(byte) (FIN | TEXT), 2, 'h', 'i'})
                    .array());
        var client = hold(await(connecting));
        assertThat(client.take()).isEqualTo(new Text("hi"));
        // A frame above the client's limit.
        socket.getOutputStream().write(RawWebSocket.header(FIN | BINARY, 0, 200_001));
        assertThatThrownBy(client::take)
            .isInstanceOfSatisfying(
                WebSocketViolation.class, e -> assertThat(e.code()).isEqualTo(1009));
        assertThat(in.readUnsignedByte()).isEqualTo(FIN | CLOSE);
        int length = in.readUnsignedByte() & 0x7f;
        in.readNBytes(4 + length);
        assertThat(in.read()).as("one close frame and the end").isEqualTo(-1);
      }
    }
  }

  private static String readLine(java.io.DataInputStream in) throws IOException {
    var line = new StringBuilder();
    for (int c = in.read(); c != '\n' && c >= 0; c = in.read()) {
      if (c != '\r') {
        line.append((char) c);
      }
    }
    return line.toString();
  }

  @Test
  void aLostPeerFailsTheFlow() throws Exception {
    try (var client = RawWebSocket.upgraded(server.address())) {
      var connection = server.accepted();
      var closed = closing(connection);
      var host = hold(connection);
      client.frame(FIN | TEXT, "x");
      assertThat(host.take()).isEqualTo(new Text("x"));
      client.reset();
      assertThatThrownBy(host::take).isInstanceOf(ConnectionLost.class);
      assertClosed(closed);
    }
  }

  @Test
  void anEndWithoutACloseFrameEndsTheFlow() throws Exception {
    try (var client = RawWebSocket.upgraded(server.address())) {
      var connection = server.accepted();
      var closed = closing(connection);
      var host = hold(connection);
      client.end();
      assertThat(host.take()).isNull();
      host.finish();
      assertThat(client.readClose().closeCode()).isEqualTo(1000);
      assertClosed(closed);
    }
  }

  @Test
  void aPeerThatNeverAnswersTheCloseFrameIsClosedAllTheSame() throws Exception {
    try (var client = RawWebSocket.upgraded(server.address())) {
      var connection = server.accepted();
      var closed = closing(connection);
      var host = hold(connection);
      host.put(new Close(1001, "x".repeat(122) + "ü"));
      host.finish();
      var close = client.readClose();
      assertThat(close.closeCode()).isEqualTo(1001);
      assertThat(close.payload()).hasSizeLessThanOrEqualTo(125);
      client.frame(FIN | BINARY, "unread");
      assertThat(client.readByte()).isEqualTo(-1);
      assertClosed(closed);
    }
  }

  @Test
  void failingTheInletResetsAndLeavesNoBufferBehind() throws Exception {
    // Counts to the byte, as the pooling ones do not.
    var buffers = new UnpooledByteBufAllocator(true);
    try (var client = RawWebSocket.upgraded(server.address())) {
      var connection = server.accepted();
      connection.channel().config().setAllocator(buffers);
      var closed = closing(connection);
      var host = hold(connection);
      client.frame(TEXT, "the beginning of a text that never ends");
      client.frame(FIN | PING, "");
      assertThat(client.read().opcode()).isEqualTo(PONG);
      host.fail(new IllegalStateException("stopped"));
      assertThatThrownBy(client::readByte).isInstanceOf(IOException.class);
      assertClosed(closed);
    }
    Awaitility.await()
        .atMost(PATIENCE)
        .untilAsserted(() -> assertThat(usedBytes(buffers)).isEqualTo(0));
  }

  private static long usedBytes(UnpooledByteBufAllocator buffers) {
    return buffers.metric().usedDirectMemory() + buffers.metric().usedHeapMemory();
  }

  @Test
  void withoutDemandThePeersSendBlocks() throws Exception {
    var ours = await(connecting(server.uri("/link")));
    var host = hold(server.accepted());
    var client = hold(ours);
    byte[] block = new byte[128 * 1024];
    int sent = 0;
    var last = client.offer(binary(block)).toCompletableFuture();
    for (boolean taken = true; taken; ) {
      try {
        last.get(300, TimeUnit.MILLISECONDS);
        sent++;
        assertThat(sent).isLessThan(500);
        last = client.offer(binary(block)).toCompletableFuture();
      } catch (java.util.concurrent.TimeoutException _) {
        taken = false;
      }
    }
    long expected = (sent + 1L) * block.length;
    long received = 0;
    while (received < expected) {
      received += bytesOf(host.take()).length;
    }
    await(last);
    assertThat(received).isEqualTo(expected);
  }

  @Test
  void aRefusedUpgradeTellsStatusAndText() {
    assertThatThrownBy(() -> await(connecting(server.uri("/nowhere"))))
        .isInstanceOfSatisfying(UpgradeRefused.class, e -> assertThat(e.status()).isEqualTo(404))
        .hasMessageContaining("no link at /nowhere");
  }

  @Test
  void aServerThatIsNotThereIsADialFailure() {
    server.close();
    assertThatThrownBy(() -> await(connecting(server.uri("/link"))))
        .isInstanceOf(DialFailure.class);
  }

  @Test
  void aServerThatEndsDuringTheUpgradeIsAConnectionLost() throws Exception {
    try (var listening = new ServerSocket(0, 10, TestNode.anyPort().getAddress())) {
      var connecting =
          connecting(URI.create("ws://localhost:" + listening.getLocalPort() + "/link"));
      listening.accept().close();
      assertThatThrownBy(() -> await(connecting)).isInstanceOf(ConnectionLost.class);
    }
  }

  @Test
  void aServerThatNeverAnswersTheUpgradeTimesOut() throws Exception {
    try (var listening = new ServerSocket(0, 10, TestNode.anyPort().getAddress())) {
      var connecting =
          WebSocketClient.connect(
              node.loops(),
              node.loop(),
              URI.create("ws://localhost:" + listening.getLocalPort() + "/link"),
              Map.of(),
              null,
              new WebSocketSettings(1000, 1000, Duration.ofMillis(200)));
      try (var socket = listening.accept()) {
        assertThatThrownBy(() -> await(connecting))
            .isInstanceOf(ConnectionLost.class)
            .hasMessageContaining("no answer");
        socket.setSoTimeout((int) PATIENCE.toMillis());
        assertThat(new String(socket.getInputStream().readAllBytes(), UTF_8)).contains("/link");
      }
    }
  }

  @Test
  void wssWithoutTlsSettingsIsNotEvenDialled() throws Exception {
    try (var listening = new ServerSocket(0, 10, TestNode.anyPort().getAddress())) {
      var uri = URI.create("wss://localhost:" + listening.getLocalPort() + "/link");
      assertThatThrownBy(() -> await(connecting(uri))).isInstanceOf(IllegalArgumentException.class);
      listening.setSoTimeout(200);
      assertThatThrownBy(listening::accept).isInstanceOf(java.net.SocketTimeoutException.class);
    }
  }
}
