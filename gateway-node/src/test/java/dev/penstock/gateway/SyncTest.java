package dev.penstock.gateway;

import static dev.penstock.gateway.GatewayLab.OTHER_TOKEN;
import static dev.penstock.gateway.GatewayLab.TOKEN;
import static dev.penstock.gateway.GatewayLab.freePort;
import static dev.penstock.gateway.GatewayLab.tunnel;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.penstock.protocol.control.Problem;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.RoutingMode;
import dev.penstock.protocol.control.TunnelRegistered;
import dev.penstock.protocol.control.TunnelRegistration;
import dev.penstock.protocol.control.TunnelSync;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Syncs, lists, ends and routing modes of tunnels, as an agent sees them.
class SyncTest {
  @TempDir Path directory;
  private GatewayLab lab;

  @BeforeEach
  void start() throws IOException {
    lab = GatewayLab.in(directory).publicSide("sync_grace: 0s").start();
  }

  @AfterEach
  void end() throws Exception {
    lab.close();
  }

  /// What the original's sync says of a tunnel: no service, labels or annotations.
  private static TunnelRegistration bare(String name, int listenerPort) {
    return TunnelRegistration.of(Protocol.TCP, "tcp-" + name, "", 0)
        .cluster("lab")
        .gateway("ns", name, listenerPort)
        .build();
  }

  private double rejected(String reason) {
    return lab.metric("penstock_gateway_rejected_total{reason=\"" + reason + "\"}");
  }

  private List<String> ids() throws IOException {
    return lab.list("lab").findValuesAsText("tunnel_id");
  }

  private void restart() throws IOException {
    lab.close();
    lab = GatewayLab.in(directory).publicSide("sync_grace: 0s").start();
  }

  @Test
  void aSyncRegistersWhatItNamesAndAnswersWhenAllListen() throws Exception {
    int port = freePort();
    var answer = lab.sync(List.of(bare("a", port - 10_000), bare("b", port - 10_000)));
    assertThat(answer.get("rejected")).isEmpty();
    assertThat(answer.get("accepted").findValuesAsText("tunnel_id"))
        .containsExactly("tcp-a", "tcp-b");
    for (JsonNode tunnel : answer.get("accepted")) {
      assertThat(tunnel.get("listening").booleanValue()).isTrue();
      assertThat(GatewayLab.listens(tunnel.get("tunnel_port").intValue())).isTrue();
    }
    assertThat(answer.get("accepted").get(0).get("tunnel_port").intValue()).isEqualTo(port);
    assertThat(lab.list("lab")).isEqualTo(answer.get("accepted"));
    assertThat(lab.list("shop")).isEmpty();
  }

  @Test
  void aSyncErasesNothingThatARegistrationSaid() throws Exception {
    int port = freePort();
    var whole =
        tunnel("redis", port - 10_000)
            .serviceNamespace("databases")
            .labels(Map.of("l", "1"))
            .annotations(Map.of("penstock.dev/allow", "192.0.2.0/24"))
            .build();
    lab.post(TOKEN, "lab", whole.encode());
    lab.sync(List.of(bare("redis", port - 10_000)));
    for (int life = 0; life < 2; life++) {
      JsonNode tunnel = lab.list("lab").get(0);
      assertThat(tunnel.get("service_name").textValue()).isEqualTo("redis");
      assertThat(tunnel.get("service_namespace").textValue()).isEqualTo("databases");
      assertThat(tunnel.get("service_port").intValue()).isEqualTo(6379);
      assertThat(tunnel.get("labels").get("l").textValue()).isEqualTo("1");
      assertThat(tunnel.get("annotations").get("penstock.dev/allow").textValue())
          .isEqualTo("192.0.2.0/24");
      assertThat(tunnel.get("gateway_namespace").textValue()).isEqualTo("ns");
      assertThat(tunnel.get("tunnel_port").intValue()).isEqualTo(port);
      restart();
    }
  }

  @Test
  void aClientOfATunnelWithoutAServiceIsReset() throws Exception {
    int port = freePort();
    lab.sync(List.of(bare("redis", port - 10_000)));
    assertThat(GatewayLab.listens(port)).isTrue();
    lab.awaitMetric("penstock_gateway_clients_refused_total{reason=\"no_service\"}", 1);
  }

  @Test
  void aTunnelThatSyncsNoLongerNameIsDeregistered() throws Exception {
    var first = lab.sync(List.of(bare("a", 1), bare("b", 2)));
    int port = first.get("accepted").get(1).get("tunnel_port").intValue();
    lab.sync(List.of(bare("a", 1)));
    assertThat(ids()).containsExactly("tcp-a");
    assertThat(lab.metric("penstock_gateway_tunnels_missing_total")).isEqualTo(1);
    Patiently.until(() -> !GatewayLab.listens(port));
    restart();
    assertThat(ids()).containsExactly("tcp-a");
    lab.sync(List.of());
    assertThat(ids()).isEmpty();
  }

  @Test
  void aTunnelThatNoSyncEverNamedIsNoneOfTheirs() throws Exception {
    lab.expose("static");
    lab.post(OTHER_TOKEN, "shop", tunnel("web", 80).build().encode());
    lab.sync(List.of(bare("a", 1)));
    lab.sync(List.of());
    assertThat(ids()).containsExactly("tcp-static");
    assertThat(lab.list("shop")).hasSize(1);
  }

  @Test
  void anAgentThatKnowsLessDoesNotEndWhatAnotherNamedLately() throws Exception {
    lab.close();
    lab = GatewayLab.in(directory).start();
    lab.sync(List.of(bare("a", 1), bare("b", 2)));
    lab.sync(List.of(bare("a", 1)));
    lab.sync(List.of());
    assertThat(ids()).containsExactly("tcp-a", "tcp-b");
  }

  @Test
  void aListThatCannotBeReadAsAWholeEndsNothing() throws Exception {
    lab.sync(List.of(bare("a", 1), bare("b", 2)));
    var partly = lab.sync("{\"tunnels\":[" + bare("a", 1).encode() + ",{\"tunnel_id\":7}]}");
    assertThat(partly.statusCode()).isEqualTo(200);
    assertThat(partly.body()).contains("\"rejected\":[{\"tunnel_id\":\"\"");
    for (String body :
        List.of(
            "garbage",
            "{}",
            "{\"tunnels\":{}}",
            "{\"cluster_uuid\":\"lab\",\"tunnels\":[",
            "{\"cluster_uuid\":7,\"tunnels\":[]}",
            "[".repeat(100_000),
            "{\"tunnels\":[" + "{\"a\":".repeat(100_000),
            "x".repeat(1_000_000))) {
      assertThat(lab.sync(body).statusCode()).isEqualTo(400);
    }
    assertThat(ids()).containsExactly("tcp-a", "tcp-b");
    assertThat(rejected("bad_registration")).isEqualTo(9);
  }

  @Test
  void aRefusedEntryKeepsItsTunnel() throws Exception {
    lab.sync(List.of(bare("a", 1)));
    var answer = lab.sync("{\"tunnels\":[{\"tunnel_id\":\"tcp-a\",\"protocol\":\"sctp\"}]}");
    assertThat(answer.body()).contains("{\"tunnel_id\":\"tcp-a\",\"reason\":\"protocol: ");
    assertThat(ids()).containsExactly("tcp-a");
  }

  @Test
  void everyBadEntryIsRefusedForItsOwnReason() throws Exception {
    int port = freePort();
    var answer =
        lab.sync(
            List.of(
                tunnel("a", 1).tunnelPort(port).build(),
                tunnel("a", 2).build(),
                tunnel("b", 3).tunnelPort(port).build(),
                tunnel("c", 4).tunnelPort(80).build(),
                tunnel("d", 5).cluster("shop").build(),
                tunnel("e", 6).build()));
    assertThat(answer.get("accepted").findValuesAsText("tunnel_id"))
        .containsExactly("tcp-a", "tcp-e");
    var reasons = new ArrayList<String>();
    answer
        .get("rejected")
        .forEach(one ->
            reasons.add(one.get("tunnel_id").textValue() + " " + one.get("reason").textValue()));
    assertThat(reasons)
        .satisfiesExactlyInAnyOrder(
            reason -> assertThat(reason).startsWith("tcp-a tunnel_id: named before"),
            reason -> assertThat(reason).startsWith("tcp-b public port: " + port + " is taken"),
            reason -> assertThat(reason).startsWith("tcp-c public port: 80 (expected: one of"),
            reason -> assertThat(reason).startsWith("tcp-d cluster_uuid: another cluster's"));
    assertThat(rejected("duplicate_tunnel")).isEqualTo(1);
    assertThat(rejected("port_conflict")).isEqualTo(2);
    assertThat(rejected("foreign_cluster")).isEqualTo(1);
  }

  @Test
  void aSyncOfAnotherClusterIsForbidden() throws Exception {
    lab.sync(List.of(bare("a", 1)));
    var answer = lab.sync("{\"cluster_uuid\":\"shop\",\"tunnels\":[]}");
    assertThat(answer.statusCode()).isEqualTo(403);
    assertThat(Problem.decode(answer.body()).detail())
        .startsWith("cluster_uuid: another cluster's");
    assertThat(ids()).containsExactly("tcp-a");
  }

  @Test
  void aSyncOfMoreThanIsTakenChangesNothing() throws Exception {
    lab.sync(List.of(bare("a", 1)));
    String many = "{\"tunnels\":[0" + ",0".repeat(99_999) + "]}";
    assertThat(lab.sync(many).body()).contains("tunnels: more than 20000");
    var large = lab.sync(" ".repeat(TunnelSync.MAX_BYTES + 1));
    assertThat(large.statusCode()).isEqualTo(413);
    assertThat(rejected("body_too_large")).isEqualTo(1);
    assertThat(ids()).containsExactly("tcp-a");
  }

  @Test
  void aClusterHasOnlySoManyTunnels() throws Exception {
    lab.close();
    lab = GatewayLab.in(directory).publicSide("max_tunnels_per_cluster: 2").start();
    var answer = lab.sync(List.of(bare("a", 1), bare("b", 2), bare("c", 3)));
    assertThat(answer.get("accepted")).hasSize(2);
    assertThat(answer.get("rejected").get(0).get("reason").textValue())
        .isEqualTo("tunnels: 2 of this cluster are registered (expected: at most 2)");
    assertThat(lab.post(TOKEN, "lab", tunnel("d", 4).build().encode()).statusCode()).isEqualTo(409);
    assertThat(rejected("over_quota")).isEqualTo(2);
    assertThat(lab.post(OTHER_TOKEN, "shop", tunnel("d", 4).build().encode()).statusCode())
        .isEqualTo(200);
  }

  @Test
  void portsOfAnotherProgramArePassedOver() throws Exception {
    try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      var answer =
          lab.sync(
              List.of(bare("a", taken.getLocalPort() - 10_000), bare("b", freePort() - 10_000)));
      assertThat(answer.get("accepted")).hasSize(2);
      assertThat(answer.get("accepted").get(0).get("tunnel_port").intValue())
          .isGreaterThan(taken.getLocalPort());
    }
  }

  // --- the end of a tunnel ---

  @Test
  void aDeregisteredTunnelsPortIsKeptForItThroughARestart() throws Exception {
    int port = lab.expose("redis");
    assertThat(lab.delete("lab", "tcp-redis").statusCode()).isEqualTo(204);
    assertThat(lab.metric("penstock_gateway_leases_retained")).isEqualTo(1);
    for (int life = 0; life < 2; life++) {
      var wish = tunnel("web", 80).tunnelPort(port).build();
      var other = lab.post(OTHER_TOKEN, "shop", wish.encode());
      assertThat(other.statusCode()).isEqualTo(409);
      assertThat(other.body()).contains("is kept for a tunnel that was deregistered a while ago");
      restart();
    }
    var near = lab.post(OTHER_TOKEN, "shop", tunnel("web", port - 10_000).build().encode());
    assertThat(TunnelRegistered.decode(near.body()).tunnelPort()).isNotEqualTo(port);
    assertThat(lab.expose(tunnel("redis", 1))).isEqualTo(port);
    assertThat(lab.metric("penstock_gateway_leases_retained")).isZero();
  }

  @Test
  void aPortThatAnOperatorReservesIsForOneClusterOnlyUntilItIsReleased() throws Exception {
    int port = freePort();
    String path = "/reservations/tcp/" + port;
    assertThat(lab.manage("PUT", path + "?cluster=shop").statusCode()).isEqualTo(204);
    assertThat(lab.manage("PUT", path + "?cluster=shop").statusCode()).isEqualTo(204);
    restart();
    assertThat(lab.manage("GET", "/reservations").body())
        .isEqualToIgnoringNewLines(
            "{\"reservations\":[{\"transport\":\"tcp\",\"port\":"
                + port
                + ",\"cluster\":\"shop\"}],\"of_settings\":[]}");
    var wish = tunnel("web", 80).tunnelPort(port).build().encode();
    var refused = lab.post(TOKEN, "lab", wish);
    assertThat(refused.statusCode()).isEqualTo(409);
    assertThat(refused.body()).contains(port + " is not for this cluster").doesNotContain("shop");
    assertThat(lab.expose(tunnel("near", port - 10_000))).isNotEqualTo(port);
    assertThat(lab.post(OTHER_TOKEN, "shop", wish).statusCode()).isEqualTo(200);
    var taken = lab.manage("PUT", path + "?cluster=lab");
    assertThat(taken.statusCode()).isEqualTo(409);
    assertThat(taken.body()).contains("is reserved for another cluster").doesNotContain("shop");
    assertThat(lab.manage("DELETE", path).statusCode()).isEqualTo(204);
    assertThat(lab.manage("DELETE", path).statusCode()).isEqualTo(204);
    assertThat(lab.manage("PUT", path + "?cluster=lab").body())
        .contains("is taken by another cluster's tunnel")
        .doesNotContain("shop");
  }

  @Test
  void aSenselessReservationIsRefusedWithWhatIsExpected() throws Exception {
    assertThat(lab.manage("PUT", "/reservations/tcp/99999?cluster=lab").statusCode())
        .isEqualTo(404);
    assertThat(lab.manage("PUT", "/reservations/sctp/10001?cluster=lab").body())
        .contains("(expected: such as tcp/15432)");
    assertThat(lab.manage("PUT", "/reservations/tcp/10001").statusCode()).isEqualTo(400);
    assertThat(lab.manage("PUT", "/reservations/tcp/80?cluster=lab").statusCode()).isEqualTo(409);
    assertThat(lab.manage("POST", "/reservations").statusCode()).isEqualTo(405);
  }

  @Test
  void withoutRetentionADeregisteredTunnelsPortIsFreeAtOnceAndForOthers() throws Exception {
    lab.close();
    lab = GatewayLab.in(directory).publicSide("sync_grace: 0s").leases("retention: 0s").start();
    int port = lab.expose("redis");
    assertThat(lab.delete("lab", "tcp-redis").statusCode()).isEqualTo(204);
    assertThat(GatewayLab.listens(port)).isFalse();
    assertThat(lab.list("lab")).isEmpty();
    var other = lab.post(OTHER_TOKEN, "shop", tunnel("web", port - 10_000).build().encode());
    assertThat(TunnelRegistered.decode(other.body()).tunnelPort()).isEqualTo(port);
    restart();
    assertThat(lab.list("lab")).isEmpty();
    assertThat(lab.list("shop")).hasSize(1);
  }

  @Test
  void anUnknownTunnelIsDeregisteredAlready() throws Exception {
    assertThat(lab.delete("lab", "tcp-redis").statusCode()).isEqualTo(204);
  }

  @Test
  void anotherClustersTunnelIsOutOfReach() throws Exception {
    int port =
        TunnelRegistered.decode(
                lab.post(OTHER_TOKEN, "shop", tunnel("web", 80).build().encode()).body())
            .tunnelPort();
    assertThat(lab.delete("lab", "tcp-web").statusCode()).isEqualTo(204);
    assertThat(lab.delete("shop", "tcp-web").statusCode()).isEqualTo(403);
    assertThat(GatewayLab.listens(port)).isTrue();
    assertThat(lab.list("shop")).hasSize(1);
  }

  @ParameterizedTest
  @ValueSource(strings = {"a/b", "a:b", "sync", "..."})
  void anyIdCanBeDeregistered(String id) throws Exception {
    for (String written : List.of(id, id.replace("/", "%2F").replace(":", "%3a"))) {
      lab.post(TOKEN, "lab", TunnelRegistration.of(Protocol.TCP, id, "x", 80).build().encode());
      assertThat(lab.list("lab")).hasSize(1);
      assertThat(lab.delete("lab", written).statusCode()).isEqualTo(204);
      assertThat(lab.list("lab")).isEmpty();
    }
  }

  @Test
  void aTunnelMayComeAndGoAsOftenAsItLikes() throws Exception {
    int port = freePort();
    for (int i = 0; i < 30; i++) {
      assertThat(lab.expose(tunnel("redis", port - 10_000))).isEqualTo(port);
      assertThat(lab.delete("lab", "tcp-redis").statusCode()).isEqualTo(204);
    }
    lab.awaitMetric("penstock_gateway_tunnels", 0);
  }

  // --- routing modes ---

  private HttpResponse<String> register(RoutingMode mode, int port) {
    return lab.post(
        TOKEN,
        "lab",
        tunnel("redis", port - 10_000)
            .routingMode(mode)
            .publicEndpoint("192.0.2.1:6379")
            .build()
            .encode());
  }

  @Test
  void aDirectTunnelHasItsOwnEndpointAndNoPort() throws Exception {
    int port = freePort();
    var answer = register(RoutingMode.DIRECT, port);
    assertThat(answer.statusCode()).isEqualTo(200);
    assertThat(answer.body())
        .contains("\"public_endpoint\":\"192.0.2.1:6379\"")
        .doesNotContain("tunnel_port");
    assertThat(GatewayLab.listens(port)).isFalse();
    restart();
    assertThat(lab.list("lab").get(0).has("tunnel_port")).isFalse();
  }

  @Test
  void aDualTunnelHasBoth() throws Exception {
    int port = freePort();
    assertThat(register(RoutingMode.DUAL, port).body())
        .contains(
            "\"public_endpoint\":\"192.0.2.1:6379\"",
            "\"tunnel_port\":" + port,
            "\"tunnel_endpoint\":\"127.0.0.1:" + port + "\"");
    assertThat(GatewayLab.listens(port)).isTrue();
  }

  @Test
  void aTunnelThatGoesDirectStopsListeningAndKeepsItsPort() throws Exception {
    int port = freePort();
    register(RoutingMode.TUNNEL, port);
    register(RoutingMode.DIRECT, port);
    Patiently.until(() -> !GatewayLab.listens(port));
    var other = lab.post(OTHER_TOKEN, "shop", tunnel("web", port - 10_000).build().encode());
    assertThat(TunnelRegistered.decode(other.body()).tunnelPort()).isNotEqualTo(port);
    restart();
    assertThat(GatewayLab.listens(port)).isFalse();
    assertThat(TunnelRegistered.decode(register(RoutingMode.TUNNEL, port).body()).tunnelPort())
        .isEqualTo(port);
    assertThat(GatewayLab.listens(port)).isTrue();
  }

  @Test
  void modesMayChangeAsOftenAsTheyLike() throws Exception {
    int port = freePort();
    for (int i = 0; i < 20; i++) {
      register(RoutingMode.TUNNEL, port);
      register(RoutingMode.DIRECT, port);
    }
    assertThat(TunnelRegistered.decode(register(RoutingMode.DUAL, port).body()).tunnelPort())
        .isEqualTo(port);
    assertThat(GatewayLab.listens(port)).isTrue();
  }
}
