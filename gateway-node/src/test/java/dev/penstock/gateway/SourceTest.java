package dev.penstock.gateway;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.config.PortRange;
import dev.penstock.gateway.FakeAgent.Service;
import dev.penstock.gateway.leases.DatabaseLeaseStore;
import dev.penstock.gateway.leases.LeasePolicy;
import dev.penstock.gateway.leases.LeaseRequest;
import dev.penstock.gateway.leases.Leases;
import dev.penstock.gateway.leases.PortWish;
import dev.penstock.gateway.leases.Quota;
import dev.penstock.gateway.leases.Transport;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.leases.TunnelRecord;
import dev.penstock.protocol.control.CallerAddress;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Who may connect, and who says so. Addresses of 127.0.0.0/8 are as many sources.
class SourceTest {
  private static final String ANN = "127.0.0.2";
  private static final String BOB = "127.0.0.3";
  private static final String HEADER = "PROXY TCP4 192.0.2.7 198.51.100.1 51234 15432\r\n";
  private static final CallerAddress CALLER =
      new CallerAddress(
          new InetSocketAddress(InetAddress.ofLiteral("192.0.2.7"), 51234),
          new InetSocketAddress(InetAddress.ofLiteral("198.51.100.1"), 15432));

  @TempDir Path directory;
  private GatewayLab lab;
  private int port;

  private FakeAgent start(String publicSide, Map<String, String> annotations) throws Exception {
    lab = GatewayLab.in(directory).publicSide(publicSide).start();
    int wanted = GatewayLab.freePort();
    port = lab.expose(GatewayLab.tunnel("redis", wanted - 10_000).annotations(annotations));
    return lab.link(Service.echo());
  }

  @AfterEach
  void end() throws Exception {
    lab.close();
  }

  private Socket served(String from) throws IOException {
    Socket client = lab.client(from, port);
    roundTrip(client, "x");
    return client;
  }

  private static void say(Socket client, String text) throws IOException {
    client.getOutputStream().write(text.getBytes(US_ASCII));
  }

  private static void roundTrip(Socket client, String text) throws IOException {
    say(client, text);
    assertThat(new String(client.getInputStream().readNBytes(text.length()), US_ASCII))
        .isEqualTo(text);
  }

  /// The reset may come as early as during the connect.
  private void assertReset(String from, String first) {
    assertThatThrownBy(
            () -> {
              Socket client = lab.client(from, port);
              say(client, first);
              client.getInputStream().read();
            })
        .isInstanceOf(SocketException.class)
        .hasMessageMatching(".*(reset|Broken pipe).*");
  }

  private void assertRefused(String from, String reason) {
    double before = lab.metric(refused(reason));
    assertReset(from, "");
    lab.awaitMetric(refused(reason), before + 1);
  }

  private static String refused(String reason) {
    return "penstock_gateway_clients_refused_total{reason=\"" + reason + "\"}";
  }

  // --- access ---

  @Test
  void whomTheTunnelDeniesIsReset() throws Exception {
    start("max_connections: 100", Map.of("penstock.dev/deny", ANN));
    assertRefused(ANN, "source_denied");
    served(BOB);
  }

  @Test
  void whomTheTunnelDoesNotAllowIsReset() throws Exception {
    start("max_connections: 100", Map.of("penstock.dev/allow", ANN + "/32"));
    served(ANN);
    assertRefused(BOB, "source_not_allowed");
  }

  @Test
  void whomTheGatewayDeniesNoTunnelLetsIn() throws Exception {
    start("access: {deny: 127.0.0.2}", Map.of("penstock.dev/allow", "127.0.0.0/8"));
    assertRefused(ANN, "source_denied");
    served(BOB);
  }

  @Test
  void oneSourceTooManyTimesIsResetUntilItLeaves() throws Exception {
    start("max_connections: 100", Map.of("penstock.dev/max-connections-per-source", "2"));
    Socket first = served(ANN);
    served(ANN);
    assertRefused(ANN, "source_too_many");
    served(BOB);
    first.close();
    lab.awaitMetric("penstock_gateway_active_streams", 2);
    Patiently.until(() -> {
      try {
        served(ANN);
        return true;
      } catch (IOException _) {
        return false;
      }
    });
  }

  @Test
  void theGatewaysLimitsAreBoundsOfTheTunnels() throws Exception {
    start(
        "access: {max_connections_per_source: 1}",
        Map.of("penstock.dev/max-connections-per-source", "50"));
    served(ANN);
    assertRefused(ANN, "source_too_many");
  }

  @Test
  void aSourceThatConnectsTooFastIsReset() throws Exception {
    start("max_connections: 100", Map.of("penstock.dev/new-connections-per-second", "1"));
    served(ANN);
    assertRefused(ANN, "source_too_fast");
    served(BOB);
  }

  @Test
  void aRefusedClientTakesNoPlaceOfTheGateway() throws Exception {
    start("max_connections: 1", Map.of("penstock.dev/deny", ANN));
    for (int i = 0; i < 3; i++) {
      assertRefused(ANN, "source_denied");
    }
    served(BOB);
  }

  @Test
  void aClientThatFindsNoPlaceTakesNoneOfItsSource() throws Exception {
    start("max_connections: 1", Map.of("penstock.dev/max-connections-per-source", "1"));
    Socket bob = served(BOB);
    for (int i = 0; i < 3; i++) {
      assertRefused(ANN, "too_many_connections");
    }
    bob.close();
    lab.awaitMetric("penstock_gateway_active_streams", 0);
    served(ANN);
  }

  @Test
  void aTunnelThatIsRegisteredAgainHasItsNewRules() throws Exception {
    start("max_connections: 100", Map.of("penstock.dev/deny", ANN));
    assertRefused(ANN, "source_denied");
    lab.expose(
        GatewayLab.tunnel("redis", port - 10_000).annotations(Map.of("penstock.dev/deny", BOB)));
    served(ANN);
    assertRefused(BOB, "source_denied");
  }

  @ParameterizedTest
  @CsvSource({
    "penstock.dev/allow, everybody",
    "penstock.dev/deny, 10.0.0.1/8",
    "penstock.dev/max-connections-per-source, many",
    "penstock.dev/new-connections-per-second, -1",
  })
  void aMalformedRuleIsRefusedByName(String key, String value) throws Exception {
    lab = GatewayLab.in(directory).start();
    var answer =
        lab.post(
            GatewayLab.TOKEN,
            "lab",
            GatewayLab.tunnel("redis", 6379).annotations(Map.of(key, value)).build().encode());
    assertThat(answer.statusCode()).isEqualTo(400);
    assertThat(answer.body()).contains("annotations." + key + ": ").contains(value);
    assertThat(lab.metric("penstock_gateway_tunnels")).isZero();
  }

  @Test
  void storedRulesThatCannotBeReadLetNobodyIn() throws Exception {
    port = GatewayLab.freePort();
    var tunnel =
        GatewayLab.tunnel("redis", port - 10_000)
            .annotations(Map.of("penstock.dev/allow", "everybody"))
            .build();
    try (var store = DatabaseLeaseStore.open(directory.resolve("data"))) {
      Leases.open(store, LeasePolicy.open(new PortRange(10_000, 65_535), Quota.ofTunnels(1)))
          .lease(
              new LeaseRequest(
                  new TunnelIdentity("lab", tunnel.tunnelId()),
                  Transport.TCP,
                  new PortWish.Near(tunnel.gatewayPort()),
                  TunnelRecord.Origin.REGISTRATION,
                  tunnel.encode()));
    }
    lab = GatewayLab.in(directory).start();
    lab.link(Service.echo());
    assertRefused(BOB, "source_denied");
  }

  // --- proxies in front ---

  @Test
  void theClientBehindATrustedProxyIsTheCallerAndTheSource() throws Exception {
    var agent =
        start(
            "proxy_protocol: {mode: required, trusted: 127.0.0.2}",
            Map.of("penstock.dev/max-connections-per-source", "1"));
    Socket client = lab.client(ANN, port);
    say(client, HEADER);
    roundTrip(client, "hello");
    assertThat(agent.nextAsked().caller()).isEqualTo(CALLER);
    assertThat(agent.heard()).isEqualTo("hello");
    assertReset(ANN, HEADER);
    lab.awaitMetric(refused("source_too_many"), 1);
    Socket other = lab.client(ANN, port);
    say(other, HEADER.replace("192.0.2.7", "192.0.2.8"));
    roundTrip(other, "hello");
  }

  @Test
  void theProxyIsNotTheSourceOfItsClients() throws Exception {
    start(
        "proxy_protocol: {mode: optional, trusted: 127.0.0.2}, access: {deny: 192.0.2.7}",
        Map.of());
    assertReset(ANN, HEADER);
    lab.awaitMetric(refused("source_denied"), 1);
    served(ANN);
  }

  @Test
  void nobodyElseCanSayToBeSomebodyElse() throws Exception {
    var agent = start("proxy_protocol: {mode: optional, trusted: 127.0.0.2}", Map.of());
    Socket client = lab.client(BOB, port);
    roundTrip(client, HEADER);
    assertThat(agent.nextAsked().caller().client()).isEqualTo(client.getLocalSocketAddress());
  }

  @Test
  void everyRefusalOfAProxyIsCountedByItsReason() throws Exception {
    start("proxy_protocol: {mode: required, trusted: 127.0.0.2, timeout: 100ms}", Map.of());
    assertRefused(BOB, "proxy_untrusted");
    assertRefused(ANN, "proxy_timed_out");
    assertReset(ANN, "GET / HTTP/1.1\r\n");
    lab.awaitMetric(refused("proxy_missing"), 1);
    assertReset(ANN, "PROXY TCP4 nonsense\r\n");
    lab.awaitMetric(refused("proxy_malformed"), 1);
    lab.client(ANN, port).close();
    lab.awaitMetric(refused("gone"), 1);
    Socket client = lab.client(ANN, port);
    say(client, HEADER);
    roundTrip(client, "hello");
  }

  @Test
  void agentsMayComeThroughAProxyToo() throws Exception {
    lab = GatewayLab.in(directory).proxyProtocol("mode: required, trusted: 127.0.0.2").start();
    try (var agent = lab.client(ANN, lab.gateway().address().getPort())) {
      say(
          agent,
          HEADER + "GET /api/v1/nothing HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
      assertThat(new String(agent.getInputStream().readAllBytes(), US_ASCII))
          .startsWith("HTTP/1.1 404 ");
    }
    assertThatThrownBy(
            () -> lab.client(BOB, lab.gateway().address().getPort()).getInputStream().read())
        .isInstanceOf(SocketException.class);
    lab.awaitMetric("penstock_gateway_rejected_total{reason=\"bad_handshake\"}", 1);
  }

  @Test
  void whoLeavesBehindAProxyIsNotWaitedFor() throws Exception {
    lab =
        GatewayLab.in(directory)
            .links("handshake_timeout: 5m")
            .proxyProtocol("mode: required, trusted: 127.0.0.2")
            .start();
    Socket agent = lab.client(ANN, lab.gateway().address().getPort());
    say(agent, HEADER + "GET /");
    agent.shutdownOutput();
    assertThat(agent.getInputStream().read()).isEqualTo(-1);
  }
}
