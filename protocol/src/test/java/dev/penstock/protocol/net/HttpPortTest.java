package dev.penstock.protocol.net;

import static dev.penstock.protocol.net.RawWebSocket.upgradeHead;
import static dev.penstock.protocol.net.TestNode.PATIENCE;
import static dev.penstock.protocol.net.TestNode.await;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.net.EventLoops.Transport;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class HttpPortTest {
  private static final Duration HANDSHAKE = Duration.ofMillis(400);
  private static TestNode node;

  private HttpServer server;

  @BeforeAll
  static void start() {
    node = TestNode.start(Transport.NIO, "pekko.http.server.idle-timeout = 2s");
  }

  @AfterAll
  static void stop() {
    node.close();
  }

  @BeforeEach
  void bind() {
    server = new HttpServer(node, null, new WebSocketSettings(1000, 1000, HANDSHAKE));
  }

  @AfterEach
  void unbind() {
    server.close();
  }

  private String refusal() throws InterruptedException {
    return server.refusals.poll(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
  }

  @Test
  void restRequestsFollowEachOtherOnOneConnection() throws Exception {
    try (var client = new RawWebSocket(server.address())) {
      for (int i = 0; i < 2; i++) {
        client.sendText("GET /v1/" + i + " HTTP/1.1\r\nHost: x\r\n\r\n");
        assertThat(client.readHead()).startsWith("HTTP/1.1 200 ").contains("Content-Length: 10");
        assertThat(client.readText(10)).isEqualTo("GET /v1/" + i + " ");
      }
    }
  }

  @Test
  void aBodyBehindTheHeadAndTheNextRequestBehindItArriveWhole() throws Exception {
    try (var client = new RawWebSocket(server.address())) {
      String body = "0123456789".repeat(30_000);
      client.sendText(
          "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n"
              + body
              + "GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      assertThat(client.readHead()).startsWith("HTTP/1.1 200 ");
      assertThat(client.readText(8 + 300_000)).isEqualTo("POST /a " + body);
      assertThat(client.readHead()).startsWith("HTTP/1.1 200 ");
      assertThat(client.readRest()).isEqualTo("GET /b ");
    }
  }

  @Test
  void anIdleRestConnectionIsEnded() throws Exception {
    try (var client = new RawWebSocket(server.address())) {
      client.sendText("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
      client.readHead();
      client.readText(7);
      int next;
      try {
        next = client.readByte();
      } catch (java.net.SocketException reset) {
        next = -1;
      }
      assertThat(next).isEqualTo(-1);
    }
  }

  @Test
  void oneConnectionTooManyThatIsNoLinkClosesTheOldestAndNoLink() throws Exception {
    var limited = new WebSocketSettings(1000, 1000, Duration.ofSeconds(30));
    try (var small = new HttpServer(node, null, limited, 2)) {
      RawWebSocket link = RawWebSocket.upgraded(small.address());
      small.accepted();
      RawWebSocket first = new RawWebSocket(small.address());
      RawWebSocket second = ask(small, first);
      RawWebSocket third = ask(small, second);
      assertThat(small.refusals.poll(PATIENCE.toMillis(), TimeUnit.MILLISECONDS))
          .isEqualTo(HttpPort.TOO_MANY_UNUPGRADED);
      assertThat(first.readByte()).isEqualTo(-1);
      second.close();
      ask(small, third).close();
      third.close();
      assertThat(small.refusals).isEmpty();
      link.close();
    }
  }

  /// Has `client` answered once, so that it is known to be accepted, and gives the next one.
  private static RawWebSocket ask(HttpServer of, RawWebSocket client) throws IOException {
    client.sendText("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    assertThat(client.readHead()).startsWith("HTTP/1.1 200 ");
    client.readText(7);
    return new RawWebSocket(of.address());
  }

  @Test
  void aSilentConnectionIsCutAfterTheHandshakeTimeout() throws Exception {
    try (var client = new RawWebSocket(server.address())) {
      assertThat(client.readByte()).isEqualTo(-1);
      assertThat(refusal()).isEqualTo("handshake_timeout");
    }
  }

  @Test
  void aConnectionThatIsClosedWithoutARequestIsNoRefusal() throws Exception {
    new RawWebSocket(server.address()).close();
    // A second one outlives the timer of the first.
    try (var client = new RawWebSocket(server.address())) {
      assertThat(client.readByte()).isEqualTo(-1);
    }
    assertThat(refusal()).isEqualTo("handshake_timeout");
    assertThat(server.refusals).isEmpty();
  }

  @Test
  void anUpgradeWhoseBodyNeverComesIsCutAfterTheHandshakeTimeout() throws Exception {
    try (var client = new RawWebSocket(server.address())) {
      client.sendText(upgradeHead("/link") + "Content-Length: 10\r\n\r\n");
      assertThat(client.readByte()).isEqualTo(-1);
      assertThat(refusal()).isEqualTo("handshake_timeout");
    }
  }

  @Test
  void aHeadAboveTheLimitIsCut() throws Exception {
    try (var client = new RawWebSocket(server.address())) {
      client.sendText("GET / HTTP/1.1\r\nX: " + "x".repeat(17 * 1024));
      assertEnds(client);
      assertThat(refusal()).isEqualTo("head_too_large");
    }
  }

  @Test
  void aLargeHeadOfAnUpgradeWithinTheLimitIsTaken() throws Exception {
    try (var client = new RawWebSocket(server.address())) {
      client.sendText(upgradeHead("/link") + "X: " + "x".repeat(12 * 1024) + "\r\n\r\n");
      assertThat(client.readHead()).startsWith("HTTP/1.1 101 ");
    }
  }

  private static void assertEnds(RawWebSocket client) throws IOException {
    try {
      assertThat(client.readByte()).isEqualTo(-1);
    } catch (java.net.SocketException reset) {
      assertThat(reset).hasMessageContaining("reset");
    }
  }

  @Test
  void anUpgradeWithoutAKeyIsRefusedWith400() throws Exception {
    try (var client = new RawWebSocket(server.address())) {
      String head = upgradeHead("/link");
      client.sendText(head.substring(0, head.indexOf("Sec-WebSocket-Key")) + "\r\n");
      assertThat(client.readRest()).startsWith("HTTP/1.1 400 ");
    }
  }

  @Test
  void anotherWebSocketVersionIsRefusedWith426() throws Exception {
    try (var client = new RawWebSocket(server.address())) {
      client.sendText(upgradeHead("/link").replace("Version: 13", "Version: 99") + "\r\n");
      assertThat(client.readRest()).startsWith("HTTP/1.1 426 ");
    }
  }

  @Test
  void aFrameThatDoesNotWaitForTheAnswerIsNotLost() throws Exception {
    try (var client = new RawWebSocket(server.address())) {
      byte[] head = (upgradeHead("/link") + "\r\n").getBytes(UTF_8);
      byte[] frame =
          RawWebSocket.encode(RawWebSocket.FIN | RawWebSocket.TEXT, "early".getBytes(UTF_8));
      client.send(
          java.nio.ByteBuffer.allocate(head.length + frame.length).put(head).put(frame).array());
      assertThat(client.readHead()).startsWith("HTTP/1.1 101 ");
      var connection = server.accepted();
      var host = Hands.on(connection.flow(), connection.loop(), node.actors());
      assertThat(host.take()).isEqualTo(new WebSocketMessage.Text("early"));
    }
  }

  // --- HttpCall ---

  private static CompletionStage<HttpCall.Answer> post(URI uri, Duration timeout) {
    return HttpCall.postJson(
        node.loops(), node.loop(), uri, Map.of("X-Key", "1"), "{\"a\":\"ü\"}", null, timeout);
  }

  private static URI http(int port, String path) {
    return URI.create("http://localhost:" + port + path);
  }

  @Test
  void aPostedDocumentIsAnswered() {
    var answer = await(post(http(server.address().getPort(), "/v1/tunnels"), PATIENCE));
    assertThat(answer).isEqualTo(new HttpCall.Answer(200, "POST /v1/tunnels {\"a\":\"ü\"}"));
  }

  @Test
  void aPostToAClosedPortIsADialFailure() {
    server.close();
    assertThatThrownBy(() -> await(post(http(server.address().getPort(), "/"), PATIENCE)))
        .isInstanceOfSatisfying(
            DialFailure.class, e -> assertThat(e.kind()).isEqualTo(DialFailure.Kind.REFUSED));
  }

  @Test
  void aPostThatIsNotAnsweredTimesOut() throws Exception {
    try (var listening = new ServerSocket(0, 10, TestNode.anyPort().getAddress())) {
      var posting = post(http(listening.getLocalPort(), "/"), Duration.ofMillis(200));
      try (var _ = listening.accept()) {
        assertThatThrownBy(() -> await(posting))
            .isInstanceOf(ConnectionLost.class)
            .hasMessageContaining("no answer");
      }
    }
  }

  @Test
  void aServerThatEndsWithoutAnAnswerIsNotWaitedFor() throws Exception {
    try (var listening = new ServerSocket(0, 10, TestNode.anyPort().getAddress())) {
      var posting = post(http(listening.getLocalPort(), "/"), Duration.ofMinutes(5));
      try (var socket = listening.accept()) {
        socket.shutdownOutput();
        assertThatThrownBy(() -> await(posting))
            .isInstanceOf(ConnectionLost.class)
            .hasMessageContaining("before the answer");
      }
    }
  }

  @Test
  void anAnswerThatEndsWithTheConnectionIsWhole() throws Exception {
    try (var listening = new ServerSocket(0, 10, TestNode.anyPort().getAddress())) {
      var posting = post(http(listening.getLocalPort(), "/"), PATIENCE);
      try (var socket = listening.accept()) {
        socket.getOutputStream().write("HTTP/1.1 503 No\r\n\r\ntry later".getBytes(UTF_8));
        socket.shutdownOutput();
        assertThat(await(posting)).isEqualTo(new HttpCall.Answer(503, "try later"));
      }
    }
  }

  @Test
  void httpsWithoutTlsSettingsIsNotSpokenInTheClear() throws Exception {
    try (var listening = new ServerSocket(0, 10, TestNode.anyPort().getAddress())) {
      var uri = URI.create("https://localhost:" + listening.getLocalPort() + "/");
      assertThatThrownBy(() -> await(post(uri, Duration.ofMillis(300))))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }
}
