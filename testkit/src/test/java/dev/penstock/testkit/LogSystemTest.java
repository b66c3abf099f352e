package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.testkit.EchoService.Behaviour;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What running programs log of connections, and what they never do.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LogSystemTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  /// Part of every secret that the nodes are given or shown.
  private static final String SECRET = "s3cret";

  @TempDir static Path directory;
  private static Lab lab;
  private static UdpEcho udp;

  @BeforeAll
  static void start() throws IOException {
    udp = UdpEcho.start();
    lab =
        Lab.in(directory)
            .variable("PENSTOCK_LOG_FORMAT", "json")
            .variable("PENSTOCK_LOG_LEVEL", "TRACE")
            .expose("echo", EchoService.start(Behaviour.echo()))
            .expose("closed", "127.0.0.1:" + Ports.free())
            .exposeUdp("udp-echo", udp.address())
            .gatewayUdp("session_timeout: 1s")
            .start();
  }

  @AfterAll
  static void stop() {
    lab.close();
    udp.close();
  }

  private static List<JsonNode> access(NodeProcess node) {
    return node.log().stream()
        .filter(line -> line.startsWith("{"))
        .map(LogSystemTest::parse)
        .filter(line -> line.path("logger").textValue().equals("dev.penstock.access"))
        .toList();
  }

  private static JsonNode parse(String line) {
    try {
      return JSON.readTree(line);
    } catch (IOException e) {
      throw new UncheckedIOException(line, e);
    }
  }

  private static JsonNode lineOf(NodeProcess node, String message, String client) {
    await()
        .untilAsserted(() ->
            assertThat(access(node)).as(node::report).anyMatch(it -> isAbout(it, message, client)));
    return access(node).stream()
        .filter(it -> isAbout(it, message, client))
        .findFirst()
        .orElseThrow();
  }

  private static boolean isAbout(JsonNode line, String message, String client) {
    return line.path("message").asText().equals(message)
        && line.path("clientAddress").asText().equals(client);
  }

  @Test
  void aConnectionHasALineAtBothEndsWithTheSameStreamAndTheSameBytes() throws IOException {
    String client;
    try (Socket socket = lab.connect("echo")) {
      client = "127.0.0.1:" + socket.getLocalPort();
      socket.getOutputStream().write(new byte[1000]);
      assertThat(socket.getInputStream().readNBytes(1000)).hasSize(1000);
    }
    JsonNode gateway = lineOf(lab.gateway(), "a connection ended", client);
    JsonNode agent = lineOf(lab.agent(), "a connection ended", client);
    assertThat(gateway.get("port").intValue()).isEqualTo(lab.port("echo"));
    assertThat(gateway.get("cluster").textValue()).isEqualTo("lab");
    assertThat(agent.get("target").textValue()).startsWith("127.0.0.1:");
    assertThat(agent.get("node").textValue()).isNotEmpty();
    assertThat(gateway.get("tunnel")).isEqualTo(agent.get("tunnel"));
    assertThat(gateway.get("stream")).isEqualTo(agent.get("stream"));
    for (JsonNode line : List.of(gateway, agent)) {
      assertThat(line.get("service").textValue()).isEqualTo("echo");
      assertThat(line.get("bytesToService").longValue()).isEqualTo(1000);
      assertThat(line.get("bytesToClient").longValue()).isEqualTo(1000);
      assertThat(line.get("cause").textValue()).isNotEmpty();
      assertThat(line.get("link").longValue()).isPositive();
      for (String step : List.of("dialMs", "firstByteMs", "durationMs")) {
        assertThat(line.get(step).doubleValue()).as(step).isPositive();
      }
    }
    for (String step : List.of("acceptMs", "chooseMs")) {
      assertThat(gateway.get(step).doubleValue()).as(step).isNotNegative();
    }
    assertThat(gateway.get("durationMs").doubleValue())
        .isGreaterThanOrEqualTo(gateway.get("firstByteMs").doubleValue());
  }

  @Test
  void aClientWhoseServiceRefusesHasALineWithTheReasonAtBothEnds() throws IOException {
    String client;
    try (Socket socket = lab.connect("closed")) {
      client = "127.0.0.1:" + socket.getLocalPort();
      assertThat(EchoService.End.of(socket.getInputStream()).how())
          .isEqualTo(EchoService.End.How.RESET);
    }
    JsonNode gateway = lineOf(lab.gateway(), "a connection was refused", client);
    assertThat(gateway.get("cause").textValue()).isEqualTo("dial_failed");
    assertThat(gateway.get("detail").textValue()).contains("refused");
    JsonNode agent = lineOf(lab.agent(), "a connection was refused", client);
    assertThat(agent.get("cause").textValue()).isEqualTo("refused");
  }

  @Test
  void aFlowHasALineWhenItEnds() throws IOException {
    try (var socket = new DatagramSocket()) {
      String client = "127.0.0.1:" + socket.getLocalPort();
      socket.setSoTimeout(10_000);
      var packet =
          new DatagramPacket(
              new byte[100], 100, InetAddress.getLoopbackAddress(), lab.port("udp-echo"));
      socket.send(packet);
      socket.receive(packet);
      JsonNode gateway = lineOf(lab.gateway(), "a UDP flow ended", client);
      JsonNode agent = lineOf(lab.agent(), "a UDP flow ended", client);
      assertThat(gateway.get("port").intValue()).isEqualTo(lab.port("udp-echo"));
      for (JsonNode line : List.of(gateway, agent)) {
        assertThat(line.get("bytesToService").longValue()).isEqualTo(100);
        assertThat(line.get("bytesToClient").longValue()).isEqualTo(100);
        assertThat(line.get("firstByteMs").doubleValue()).isPositive();
        assertThat(line.get("durationMs").doubleValue()).isGreaterThan(900);
      }
    }
  }

  @Test
  void theLevelOfALoggerIsChangedWhileTheNodesRun() throws IOException {
    for (NodeProcess node : List.of(lab.gateway(), lab.agent())) {
      assertThat(node.send("PUT", "/loggers/dev.penstock.access?level=off")).isEqualTo(200);
    }
    String silent;
    try (Socket socket = lab.connect("echo")) {
      silent = "127.0.0.1:" + socket.getLocalPort();
      lab.roundTrip(socket);
    }
    await().until(() -> lab.gateway().metric("penstock_gateway_active_streams") == 0);
    for (NodeProcess node : List.of(lab.gateway(), lab.agent())) {
      assertThat(node.send("DELETE", "/loggers/dev.penstock.access")).isEqualTo(204);
      assertThat(node.status("/loggers")).isEqualTo(200);
    }
    String told;
    try (Socket socket = lab.connect("echo")) {
      told = "127.0.0.1:" + socket.getLocalPort();
      lab.roundTrip(socket);
    }
    lineOf(lab.gateway(), "a connection ended", told);
    assertThat(access(lab.gateway())).noneMatch(it -> isAbout(it, "a connection ended", silent));
  }

  @Test
  void noSecretIsEverLoggedAtWhateverLevel() throws Exception {
    try (Socket socket = lab.connect("echo")) {
      lab.roundTrip(socket);
      byte[] said = SECRET.getBytes(StandardCharsets.US_ASCII);
      socket.getOutputStream().write(said);
      assertThat(socket.getInputStream().readNBytes(said.length)).isEqualTo(said);
    }
    var strange =
        HttpRequest.newBuilder(
                URI.create(
                    "http://127.0.0.1:%d/api/v1/clusters/agent/lab/tunnels?token=%s-in-query"
                        .formatted(lab.listenPort(), SECRET)))
            .header("Authorization", "Bearer wrong-" + SECRET)
            .build();
    try (HttpClient http = HttpClient.newHttpClient()) {
      assertThat(http.send(strange, BodyHandlers.discarding()).statusCode()).isBetween(400, 499);
    }
    assertThat(lab.gateway().send("PUT", "/loggers/root?level=nothing&secret=" + SECRET))
        .isEqualTo(400);
    await()
        .untilAsserted(() ->
            assertThat(lab.gateway().log())
                .as(lab::report)
                .anyMatch(it -> it.contains("refused a peer")));
    assertThat(
            Stream.of(lab.gateway(), lab.agent())
                .flatMap(node -> Stream.concat(node.log().stream(), node.output().stream())))
        .hasSizeGreaterThan(10)
        .noneMatch(line -> line.contains(SECRET));
  }
}
