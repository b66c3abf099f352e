package dev.penstock.testkit;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.testkit.EchoService.Behaviour;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What an agent's file says of whole tunnels, at the gateway in another process.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class TunnelRulesSystemTest {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  @TempDir static Path directory;
  private static EchoService tcp;
  private static EchoService open;
  private static UdpEcho udp;
  private static Lab lab;

  @BeforeAll
  static void start() {
    udp = UdpEcho.start();
    tcp = EchoService.start(Behaviour.echo());
    open = EchoService.start(Behaviour.echo());
    lab =
        Lab.in(directory)
            .expose("full", tcp.address(), "access: {max_connections: 2}")
            .exposeUdp("full-udp", udp.address(), "access: {max_connections: 1}")
            .expose(
                "direct",
                open.address(),
                "public_endpoint: \"192.0.2.1:6379\", routing_mode: direct")
            .agentVariable("PENSTOCK_TUNNELS_ROUTING_FORCE_TUNNEL_MODE", "false")
            .start();
  }

  @AfterAll
  static void stop() {
    lab.close();
    tcp.close();
    open.close();
    udp.close();
  }

  @Test
  void aFullTunnelResetsTheNextClientWhoeverItIsUntilAnotherLeaves() throws Exception {
    try (Socket stays = lab.connect("full")) {
      lab.roundTrip(stays);
      try (Socket leaves = lab.connect("full")) {
        lab.roundTrip(leaves);
        assertThat(lab.echoes("full")).isFalse();
        assertThat(echoesFrom("127.0.0.2")).isFalse();
        await()
            .atMost(PATIENCE)
            .untilAsserted(() ->
                assertThat(
                        lab.gateway()
                            .metric("penstock_gateway_clients_refused_total", "tunnel_full"))
                    .as(lab::report)
                    .isEqualTo(2));
      }
      await().atMost(PATIENCE).until(() -> lab.echoes("full"));
      lab.roundTrip(stays);
    }
  }

  private static boolean echoesFrom(String source) throws IOException {
    try (var client = new Socket()) {
      client.bind(new InetSocketAddress(source, 0));
      client.setSoTimeout((int) PATIENCE.toMillis());
      client.connect(
          new InetSocketAddress(InetAddress.getLoopbackAddress(), lab.port("full")), 5_000);
      client.getOutputStream().write("?".getBytes(US_ASCII));
      return client.getInputStream().read() == '?';
    } catch (java.net.SocketException reset) {
      return false;
    }
  }

  @Test
  void aFullUdpTunnelDropsTheDatagramsOfTheNextClientAndCountsThem() throws Exception {
    var port = new InetSocketAddress(InetAddress.getLoopbackAddress(), lab.port("full-udp"));
    try (var first = UdpPeer.open();
        var second = UdpPeer.open()) {
      first.send(port, 1, 100);
      await().atMost(PATIENCE).until(() -> first.received() == 1);
      second.send(port, 7, 100);
      await()
          .atMost(PATIENCE)
          .untilAsserted(() ->
              assertThat(
                      lab.gateway().metric("penstock_gateway_udp_dropped_total", "source_refused"))
                  .isEqualTo(7));
      first.send(port, 1, 100);
      await().atMost(PATIENCE).until(() -> first.received() == 2);
      assertThat(second.received()).isZero();
    }
  }

  /// The lab is ready, so a tunnel without a port at the gateway is nothing to wait for.
  @Test
  void aDirectTunnelIsReadyWithItsOwnEndpointAndNobodyListensForIt() throws Exception {
    assertThat(lab.agent().isReady()).isTrue();
    await()
        .atMost(PATIENCE)
        .untilAsserted(() ->
            assertThat(lab.agent().output())
                .anyMatch(line -> line.startsWith("direct  tcp  192.0.2.1:6379 -> ")));
    assertThat(lab.echoes("direct")).isFalse();
    assertThat(lab.gateway().metric("penstock_gateway_tunnels")).isEqualTo(2);
  }
}
