package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.testkit.RawWebSocket.Frame;
import dev.penstock.testkit.RawWebSocket.Opcode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// An agent that registers in good order and then sends whatever a test makes of yamux.
final class HostileAgent implements AutoCloseable {
  static final String CONTROLLER = "/api/v1/clusters/agent/ws";
  static final int DATA = 0;
  static final int WINDOW_UPDATE = 1;
  static final int GO_AWAY = 3;
  static final int SYN = 1;
  static final int ACK = 2;
  static final int RST = 8;

  private static final int HEADER_BYTES = 12;
  private static final Duration TIMEOUT = Duration.ofSeconds(30);
  private static final Pattern CLUSTER = Pattern.compile("\"cluster_id\"\\s*:\\s*\"([^\"]+)\"");
  private static final Pattern TUNNEL_PORT = Pattern.compile("\"tunnel_port\"\\s*:\\s*(\\d+)");

  /// How the gateway answered a breach.
  enum Answer {
    GO_AWAY,
    CLOSED
  }

  /// A yamux header, as it came.
  record Header(int type, int flags, int stream, int length) {}

  private final RawWebSocket socket;
  private final int listenPort;
  private final String cluster;
  private ByteBuffer unread = ByteBuffer.allocate(0);

  private HostileAgent(RawWebSocket socket, int listenPort, String cluster) {
    this.socket = socket;
    this.listenPort = listenPort;
    this.cluster = cluster;
  }

  /// Registers, opens the gateway socket and agrees on yamux.
  static HostileAgent connect(int listenPort, String token) throws IOException {
    String cluster = register(listenPort, token);
    RawWebSocket socket =
        RawWebSocket.connect(
            listenPort,
            "/ws?agent_version=0&cluster_uuid="
                + cluster
                + "&supports_binary=true&supports_response_streaming=true&supports_streaming=true"
                + "&supports_websocket=true&supports_yamux=true",
            token);
    assertThat(socket.status()).isEqualTo(101);
    awaitText(socket, "\"gateway_hello\"");
    socket.sendText("{\"type\":\"gateway_hello_ack\",\"payload\":{\"use_yamux\":true}}");
    return new HostileAgent(socket, listenPort, cluster);
  }

  private static String register(int listenPort, String token) throws IOException {
    try (var controller = RawWebSocket.connect(listenPort, CONTROLLER, token)) {
      assertThat(controller.status()).isEqualTo(101);
      controller.sendText(
          """
          {"type":"register","request_id":"r1","payload":{"agent_id":"hostile","name":"other",\
          "hostname":"h","agent_version":"0"}}\
          """);
      Matcher cluster = CLUSTER.matcher(awaitText(controller, "\"register_success\""));
      assertThat(cluster.find()).as("cluster_id in the answer").isTrue();
      return cluster.group(1);
    }
  }

  /// Registers a tunnel; its public port.
  int registerTunnel(String token) throws IOException, InterruptedException {
    String body =
        """
        {"cluster_uuid":"%1$s","protocol":"tcp","tunnel_id":"tcp-%1$s-hostile-7000",
         "gateway_name":"hostile","gateway_namespace":"default","gateway_port":7000,
         "service_name":"hostile","service_namespace":"default","service_port":7000,
         "routing_mode":"tunnel"}\
        """
            .formatted(cluster);
    try (HttpClient http = HttpClient.newHttpClient()) {
      String answer =
          http.send(
                  HttpRequest.newBuilder(
                          URI.create(
                              "http://127.0.0.1:%d/api/v1/clusters/agent/%s/tunnels"
                                  .formatted(listenPort, cluster)))
                      .header("Authorization", "Bearer " + token)
                      .header("Content-Type", "application/json")
                      .POST(BodyPublishers.ofString(body))
                      .build(),
                  BodyHandlers.ofString())
              .body();
      Matcher port = TUNNEL_PORT.matcher(answer);
      assertThat(port.find()).as("tunnel_port in %s", answer).isTrue();
      return Integer.parseInt(port.group(1));
    }
  }

  /// Bytes of one yamux header.
  static byte[] header(int type, int flags, int stream, int length) {
    return ByteBuffer.allocate(HEADER_BYTES)
        .put((byte) 0)
        .put((byte) type)
        .putShort((short) flags)
        .putInt(stream)
        .putInt(length)
        .array();
  }

  /// Sends yamux bytes as one message.
  void send(byte[] bytes) throws IOException {
    socket.sendBinary(bytes);
  }

  /// Reads headers, and drops their data, until one has this type and these flags.
  Header await(int type, int flags) throws IOException {
    for (Header header = next(); header != null; header = next()) {
      if (header.type() == type && (header.flags() & flags) == flags) {
        return header;
      }
    }
    throw new IOException("the gateway closed (expected: type " + type + ", flags " + flags + ")");
  }

  /// Reads until the gateway ends the session, by a GoAway frame or by closing.
  Answer awaitRefusal() throws IOException {
    for (Header header = next(); header != null; header = next()) {
      if (header.type() == GO_AWAY) {
        return Answer.GO_AWAY;
      }
    }
    return Answer.CLOSED;
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }

  /// The next yamux header; null at the end.
  private Header next() throws IOException {
    ByteBuffer header = take(HEADER_BYTES);
    if (header == null) {
      return null;
    }
    header.get();
    int type = header.get();
    int flags = header.getShort();
    int stream = header.getInt();
    int length = header.getInt();
    if (type == DATA && take(length) == null) {
      return null;
    }
    return new Header(type, flags, stream, length);
  }

  /// The next `length` yamux bytes; null when the connection ends before.
  private ByteBuffer take(int length) throws IOException {
    while (unread.remaining() < length) {
      Frame frame = socket.read(TIMEOUT);
      if (frame == null || frame.opcode() == Opcode.CLOSE) {
        return null;
      }
      if (frame.opcode() == Opcode.BINARY || frame.opcode() == Opcode.CONTINUATION) {
        var joined = new ByteArrayOutputStream();
        joined.writeBytes(bytes(unread));
        joined.writeBytes(bytes(frame.payload()));
        unread = ByteBuffer.wrap(joined.toByteArray());
      }
    }
    ByteBuffer taken = unread.slice(unread.position(), length);
    unread.position(unread.position() + length);
    return taken;
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return bytes;
  }

  private static String awaitText(RawWebSocket socket, String part) throws IOException {
    for (Frame frame = socket.read(TIMEOUT); frame != null; frame = socket.read(TIMEOUT)) {
      if (frame.opcode() == Opcode.TEXT && frame.text().contains(part)) {
        return frame.text();
      }
    }
    throw new IOException("the gateway closed (expected: a message with " + part + ")");
  }
}
