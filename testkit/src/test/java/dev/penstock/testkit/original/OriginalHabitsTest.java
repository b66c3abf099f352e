package dev.penstock.testkit.original;

import static dev.penstock.testkit.original.OriginalLab.until;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.penstock.testkit.EchoService;
import dev.penstock.testkit.EchoService.Behaviour;
import dev.penstock.testkit.Ports;
import dev.penstock.testkit.original.OriginalAgent.State;
import dev.penstock.testkit.original.OriginalSettings.Trait;
import dev.penstock.testkit.original.PuppetGateway.Frame;
import dev.penstock.testkit.original.PuppetGateway.Link;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The fake has the original's habits and faults, seen by a gateway that is played by hand.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class OriginalHabitsTest {
  private PuppetGateway gateway;
  private OriginalAgent agent;
  private EchoService echo;

  @BeforeEach
  void listen() throws IOException {
    gateway = new PuppetGateway();
    echo = EchoService.start(Behaviour.echo());
  }

  @AfterEach
  void end() throws IOException {
    if (agent != null) {
      agent.close();
    }
    echo.close();
    gateway.close();
  }

  private OriginalSettings settings() {
    return OriginalSettings.of(gateway.api(), "s3cret").withFirstBackoff(Duration.ofMillis(10));
  }

  private static InetSocketAddress loopback(int port) {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
  }

  private int echoPort() {
    return Integer.parseInt(echo.address().substring(echo.address().indexOf(':') + 1));
  }

  private Link onController(OriginalSettings settings) throws IOException {
    agent = OriginalAgent.start(settings);
    Link controller = gateway.accept();
    registered(controller, "");
    until(() -> agent.state() == State.CONNECTED);
    return controller;
  }

  private Link onGateway(OriginalSettings settings) throws IOException {
    agent = OriginalAgent.start(settings);
    Link controller = gateway.accept();
    registered(controller, "ws://127.0.0.1:" + gateway.api().getPort());
    Link link = gateway.accept();
    assertThat(controller.message(PuppetGateway.CLOSE).payload().getShort())
        .isEqualTo((short) 1000);
    until(() -> agent.state() == State.CONNECTED);
    return link;
  }

  private static void registered(Link controller, String gatewayUrl) throws IOException {
    String id = controller.json("register").path("request_id").asText();
    controller.say(
        """
        {"type":"register_success","request_id":"%s","payload":{"cluster_id":"6f1c",\
        "cluster_uuid":"6f1c-uuid","gateway_ws_url":"%s"}}\
        """
            .formatted(id, gatewayUrl));
  }

  private Link withYamux(OriginalSettings settings, int window) throws IOException {
    Link link = onGateway(settings);
    link.say(
        """
        {"type":"gateway_hello","payload":{"use_yamux":true,"yamux_config":\
        {"max_stream_window_size":%d,"keep_alive_interval_seconds":30,\
        "connection_timeout_seconds":30}}}\
        """
            .formatted(window));
    assertThat(link.json("gateway_hello_ack").path("payload").path("use_yamux").asBoolean())
        .isTrue();
    return link;
  }

  private static byte[] frame(int type, int flags, int id, int length, byte... body) {
    return ByteBuffer.allocate(12 + body.length)
        .put((byte) 0)
        .put((byte) type)
        .putShort((short) flags)
        .putInt(id)
        .putInt(length)
        .put(body)
        .array();
  }

  /// A stream's header, and what the client says behind it.
  private static byte[] opening(int protocol, String service, String said) {
    byte[] name = service.getBytes(StandardCharsets.UTF_8);
    byte[] text = said.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(10 + name.length + 7 + text.length)
        .put((byte) 1)
        .put((byte) protocol)
        .putShort((short) 5432)
        .putShort((short) name.length)
        .put(name)
        .putShort((short) 7)
        .put("default".getBytes(StandardCharsets.UTF_8))
        .putShort((short) 0)
        .put(text)
        .array();
  }

  private static void open(Link link, int id, byte[] opening) throws IOException {
    link.send(PuppetGateway.BINARY, frame(1, 1, id, 0));
    link.send(PuppetGateway.BINARY, frame(0, 0, id, opening.length, opening));
  }

  private static void assertAlive(Link link) throws IOException {
    link.say("{\"type\":\"ping\",\"request_id\":\"p\",\"payload\":{\"timestamp\":\"t\"}}");
    JsonNode pong = link.json("pong");
    assertThat(pong.path("request_id").asText()).isEqualTo("p");
    assertThat(pong.path("payload").path("timestamp").asText()).isEqualTo("t");
  }

  // --- registration and sockets ---

  @Test
  void itRegistersOnTheControllerSocket() throws IOException {
    agent = OriginalAgent.start(settings());
    Link controller = gateway.accept();
    assertThat(controller.target()).isEqualTo("/api/v1/clusters/agent/ws");
    assertThat(controller.header("authorization")).isEqualTo("Bearer s3cret");
    JsonNode register = controller.json("register");
    assertThat(register.path("request_id").asText()).matches("req_\\d+_agent-7f");
    assertThat(register.path("payload").path("tunnel_port_config").path("kubelet").asInt())
        .isEqualTo(10_250);
    assertThat(register.path("payload").path("features").path("supports_gateway").asBoolean())
        .isTrue();
  }

  @Test
  void itMovesToTheGatewaySocketWithItsFeaturesSortedByName() throws IOException {
    Link link = onGateway(settings());
    assertThat(link.target())
        .isEqualTo(
            "/ws?agent_version=1.0.0-dev&cluster_uuid=6f1c-uuid&supports_binary=true"
                + "&supports_response_streaming=true&supports_streaming=true"
                + "&supports_websocket=true&supports_yamux=true");
    assertThat(link.json("heartbeat").path("payload").path("cluster_id").asText())
        .isEqualTo("6f1c");
    assertThat(agent.isOnGateway()).isTrue();
  }

  @Test
  void aFirstConnectThatFailsIsNeverRepeated() throws IOException {
    agent = OriginalAgent.start(settings());
    gateway.refuse(503);
    until(() -> agent.state() == State.STANDALONE);
  }

  @Test
  void statuses401And403EndItAndOthersDoNot() throws IOException {
    Link controller = onController(settings());
    controller.cut();
    gateway.refuse(503);
    Link again = gateway.accept();
    again.cut();
    gateway.refuse(403);
    until(() -> agent.state() == State.STUCK);
  }

  @Test
  void beingToldThatItIsNotRegisteredEndsItOnTheGatewaySocketOnly() throws IOException {
    Link controller = onController(settings());
    controller.say("{\"type\":\"error\",\"payload\":{\"error\":\"Cluster not found\"}}");
    assertThat(controller.json("register")).isNotNull();
    agent.close();
    Link link = onGateway(settings());
    link.say("{\"type\":\"error\",\"payload\":{\"error\":\"agent NOT registered\"}}");
    until(() -> agent.state() == State.STUCK);
  }

  @Test
  void anUnknownTypeIsReportedOnceAndAnOddTimestampDropsTheMessage() throws IOException {
    Link link = onGateway(settings());
    link.say("{\"type\":\"bogus\",\"request_id\":\"r2\",\"payload\":{}}");
    link.say("{\"type\":\"bogus\",\"request_id\":\"r3\",\"payload\":{}}");
    JsonNode fallback = link.json("protocol_fallback").path("payload");
    assertThat(fallback.path("unknown_type").asText()).isEqualTo("bogus");
    assertThat(fallback.path("original_request_id").asText()).isEqualTo("r2");
    link.say("{\"type\":\"ping\",\"request_id\":\"x\",\"timestamp\":1795229101}");
    assertAlive(link);
    assertThat(agent.dropped()).isEqualTo(1);
    assertThat(agent.received("bogus")).isEqualTo(2);
  }

  @Test
  void messagesOver4096BytesComeInFragments() throws IOException {
    Link link = onGateway(settings());
    link.json("heartbeat");
    agent.send("proxy_response", "r", Map.of("body", "x".repeat(9_000)));
    Frame first = link.frame();
    assertThat(first.opcode()).isEqualTo(PuppetGateway.TEXT);
    assertThat(first.last()).isFalse();
    assertThat(first.payload().remaining()).isEqualTo(4096);
    Frame second = link.frame();
    assertThat(second.opcode()).isZero();
    assertThat(second.last()).isFalse();
    assertThat(second.payload().remaining()).isEqualTo(4096);
    Frame third = link.frame();
    assertThat(third.opcode()).isZero();
    assertThat(third.last()).isTrue();
    assertThat(third.text()).endsWith("\n");
  }

  // --- yamux ---

  @Test
  void aWindowThatIsTooSmallIsAcknowledgedAndThenThereIsNoSession() throws IOException {
    Link link = withYamux(settings(), 65_536);
    assertAlive(link);
    assertThat(agent.hasSession()).isFalse();
  }

  @Test
  void aStreamIsAcknowledgedAtOnceAndHeadersAndBodiesAreMessagesOfTheirOwn() throws IOException {
    Link link =
        withYamux(settings().withService("echo.default", loopback(echoPort())), 1024 * 1024);
    open(link, 2, opening(1, "echo", "hello"));
    assertThat(link.message(PuppetGateway.BINARY).payload().array())
        .isEqualTo(frame(1, 2, 2, 0x000c0000));
    assertThat(link.message(PuppetGateway.BINARY).payload().array()).isEqualTo(frame(0, 0, 2, 5));
    assertThat(link.message(PuppetGateway.BINARY).text()).isEqualTo("hello");
    link.send(PuppetGateway.BINARY, frame(1, 4, 2, 0));
    assertThat(link.message(PuppetGateway.BINARY).payload().array()).isEqualTo(frame(1, 4, 2, 0));
    until(() -> agent.openStreams() == 0);
  }

  @Test
  void aFailedDialIsAFinAndNothingElse() throws IOException {
    Link link = withYamux(settings(), 262_144);
    open(link, 2, opening(1, "nowhere", ""));
    assertThat(link.message(PuppetGateway.BINARY).payload().array()).isEqualTo(frame(1, 2, 2, 0));
    assertThat(link.message(PuppetGateway.BINARY).payload().array()).isEqualTo(frame(1, 4, 2, 0));
  }

  @Test
  void aSecondFinKillsTheSessionAndNotTheSocket() throws IOException {
    EchoService deaf = EchoService.start(Behaviour.deaf());
    try (deaf) {
      int port = Integer.parseInt(deaf.address().substring(deaf.address().indexOf(':') + 1));
      Link link = withYamux(settings().withService("deaf.default", loopback(port)), 262_144);
      open(link, 2, opening(1, "deaf", "x"));
      until(() -> deaf.accepted() == 1);
      link.send(PuppetGateway.BINARY, frame(1, 4, 2, 0));
      assertAlive(link);
      assertThat(agent.sessionDeath()).isEmpty();
      link.send(PuppetGateway.BINARY, frame(1, 4, 2, 0));
      until(() -> agent.sessionDeath().orElse("").contains("unexpected FIN"));
      assertAlive(link);
    }
  }

  @Test
  void moreThanTheWindowKillsTheSession() throws IOException {
    Link link = withYamux(settings(), 262_144);
    link.send(PuppetGateway.BINARY, frame(1, 1, 2, 0));
    link.send(PuppetGateway.BINARY, frame(0, 0, 2, 262_145));
    until(() -> agent.sessionDeath().orElse("").contains("receive window exceeded"));
    assertAlive(link);
  }

  @Test
  void dataOfAnUnknownStreamIsDrained() throws IOException {
    Link link = withYamux(settings(), 262_144);
    link.send(PuppetGateway.BINARY, frame(0, 0, 98, 3, (byte) 1, (byte) 2, (byte) 3));
    link.send(PuppetGateway.BINARY, frame(2, 1, 0, 77));
    assertThat(link.message(PuppetGateway.BINARY).payload().array()).isEqualTo(frame(2, 2, 0, 77));
    assertThat(agent.sessionDeath()).isEmpty();
  }

  @Test
  void whatIsBufferedOfAStreamIsOneDatagramUpTo32KiB() throws IOException {
    try (var service = new DatagramSocket(loopback(0))) {
      service.setSoTimeout(10_000);
      Link link =
          withYamux(
              settings().withService("dns.default", loopback(service.getLocalPort())), 262_144);
      open(link, 2, opening(2, "dns", "a".repeat(40_000)));
      var datagram = new DatagramPacket(new byte[65_507], 65_507);
      service.receive(datagram);
      assertThat(datagram.getLength()).isEqualTo(32_768);
      datagram.setLength(65_507);
      service.receive(datagram);
      assertThat(datagram.getLength()).isEqualTo(7_232);
      assertThat(link.message(PuppetGateway.BINARY).payload().array()).isEqualTo(frame(1, 2, 2, 0));
      service.send(new DatagramPacket(new byte[9], 9, datagram.getSocketAddress()));
      assertThat(link.message(PuppetGateway.BINARY).payload().array()).isEqualTo(frame(0, 0, 2, 9));
    }
  }

  // --- tunnels in JSON messages ---

  private static String tunnelMessage(String type, String id, String payload) {
    return "{\"type\":\"%s\",\"request_id\":\"%s\",\"payload\":%s}".formatted(type, id, payload);
  }

  @Test
  void aTunnelMessageEndsAnAgentWhoseTunnelsAreDisabled() throws IOException {
    Link controller = onController(settings());
    controller.say(tunnelMessage("tcp_tunnel_start", "c-1", "{\"gateway_port\":1}"));
    until(() -> agent.state() == State.CRASHED);
  }

  @Test
  void tunnelMessagesOnTheGatewaySocketAreLost() throws IOException {
    Link link = onGateway(settings().with(Trait.TUNNELS_ENABLED));
    link.say(tunnelMessage("tcp_tunnel_start", "c-1", "{\"gateway_port\":" + echoPort() + "}"));
    assertAlive(link);
    assertThat(agent.dropped()).isEqualTo(1);
    assertThat(echo.accepted()).isZero();
  }

  @Test
  void aTunnelCarriesDataAndAnswersEveryCloseWithServiceClosed() throws IOException {
    Link controller =
        onController(settings().with(Trait.TUNNELS_ENABLED).with(Trait.STAYS_ON_CONTROLLER));
    controller.say(tunnelMessage("tcp_tunnel_data", "c-1", "{\"data\":\"ZWFybHk=\"}"));
    until(() -> agent.lostEarly() == 1);
    controller.say(
        tunnelMessage("tcp_tunnel_start", "c-1", "{\"gateway_port\":" + echoPort() + "}"));
    until(() -> agent.openTunnels() == 1);
    controller.say(tunnelMessage("tcp_tunnel_data", "c-1", "{\"data\":\"b25l\"}"));
    JsonNode data = controller.json("tcp_tunnel_data").path("payload");
    assertThat(data.path("data").asText()).startsWith("b25l");
    assertThat(data.path("direction").asText()).isEqualTo("agent_to_gateway");
    controller.say(tunnelMessage("tcp_tunnel_close", "c-1", "{\"reason\":\"client_closed\"}"));
    assertThat(controller.json("tcp_tunnel_close").path("payload").path("reason").asText())
        .isEqualTo("service_closed");
  }

  @Test
  void aTunnelThatCannotBeDialledIsClosedWithAnError() throws IOException {
    Link controller = onController(settings().with(Trait.TUNNELS_ENABLED));
    controller.say(
        tunnelMessage("tcp_tunnel_start", "c-1", "{\"gateway_port\":" + Ports.free() + "}"));
    JsonNode close = controller.json("tcp_tunnel_close").path("payload");
    assertThat(close.path("reason").asText()).isEqualTo("connection_failed");
    assertThat(close.path("error").asText()).isNotEmpty();
  }

  @Test
  void anAnswerToOneUdpClientGoesToAllOfItsTunnel() throws IOException {
    Link controller = onController(settings().with(Trait.TUNNELS_ENABLED));
    try (var service = new DatagramSocket(loopback(0))) {
      service.setSoTimeout(10_000);
      var datagram = new DatagramPacket(new byte[100], 100);
      for (int client : new int[] {5353, 5354}) {
        controller.say(
            tunnelMessage(
                "udp_tunnel_data",
                "",
                """
                {"tunnel_id":"udp-1","data":"b25l","client_addr":"203.0.113.9",\
                "client_port":%d,"gateway_port":%d}\
                """
                    .formatted(client, service.getLocalPort())));
        service.receive(datagram);
      }
      service.send(datagram);
      var told = new ArrayList<Integer>();
      for (int i = 0; i < 2; i++) {
        told.add(controller.json("udp_tunnel_data").path("payload").path("client_port").asInt());
      }
      assertThat(told).containsExactlyInAnyOrder(5353, 5354);
    }
  }

  @Test
  void onlyPlainHttpIsServed() {
    var secure = OriginalSettings.of(URI.create("https://127.0.0.1:1"), "x");
    assertThatThrownBy(() -> OriginalAgent.start(secure))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("expected: an http URL");
  }
}
