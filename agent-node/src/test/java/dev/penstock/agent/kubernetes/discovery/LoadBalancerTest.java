package dev.penstock.agent.kubernetes.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.PortPolicy;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Services of type LoadBalancer with our class.
class LoadBalancerTest {
  private static final String SERVICE =
      """
      kind: Service
      metadata: {name: redis}
      spec:
        type: LoadBalancer
        loadBalancerClass: penstock.dev/tunnel
        clusterIP: 10.0.0.7
        ports:
        - {name: redis, port: 6379, protocol: TCP}
      """;
  private static final String TUNNEL = "tcp-lab:service:default:redis:6379";

  @ParameterizedTest(name = "{0} with class {1}: tunnelled {2}")
  @CsvSource({
    "LoadBalancer, penstock.dev/tunnel, true",
    "LoadBalancer, example.com/lb, false",
    "LoadBalancer, '\"\"', false",
    "ClusterIP, penstock.dev/tunnel, false",
    "NodePort, penstock.dev/tunnel, false",
  })
  void aServiceOfOurClassIsTunnelled(String type, String loadBalancerClass, boolean isTunnelled) {
    var world =
        World.of(
            SERVICE
                .replace("type: LoadBalancer", "type: " + type)
                .replace("penstock.dev/tunnel", loadBalancerClass));

    assertThat(world.look().tunnels()).hasSize(isTunnelled ? 1 : 0);
  }

  @Test
  void itsPortGoesToItselfAndAnyPublicPortWillDo() {
    DesiredTunnel tunnel = World.of(SERVICE).look().tunnels().getFirst();

    assertThat(tunnel.id()).isEqualTo(TUNNEL);
    assertThat(tunnel.listenerPort()).isEqualTo(6379);
    assertThat(tunnel.policy()).isEqualTo(PortPolicy.ALLOCATE);
    assertThat(tunnel.backends())
        .singleElement()
        .isEqualTo(new Backend.ToService(1, tunnel.key().owner(), "redis", 6379));
  }

  @ParameterizedTest(name = "{0}: {1}")
  @CsvSource({"Exact, EXACT", "Allocate, ALLOCATE", "Perhaps, ALLOCATE"})
  void itMayAskForItsOwnPort(String annotation, PortPolicy policy) {
    var world =
        World.of(
            SERVICE.replace(
                "name: redis}",
                "name: redis, annotations: {penstock.dev/port-policy: " + annotation + "}}"));

    assertThat(world.look().tunnels().getFirst().policy()).isEqualTo(policy);
    assertThat(world.look().tunnels().getFirst().annotations()).isEmpty();
    assertThat(world.look().notices().size()).isEqualTo(annotation.equals("Perhaps") ? 1 : 0);
  }

  @Test
  void itsStatusTellsHostAndPort() {
    var world = World.of(SERVICE).granted(TUNNEL, "gw.example.com:16379").settle();

    assertThat(ingress(world))
        .hasToString(
            "[{\"hostname\":\"gw.example.com\",\"ports\":[{\"port\":16379,\"protocol\":\"TCP\"}]}]");
  }

  @Test
  void anAddressIsNotShortCutByTheNodes() {
    var world = World.of(SERVICE).granted(TUNNEL, "203.0.113.9:16379").settle();

    assertThat(ingress(world).at("/0/ip").asText()).isEqualTo("203.0.113.9");
    assertThat(ingress(world).at("/0/ipMode").asText()).isEqualTo("Proxy");
  }

  @Test
  void aServerThatDropsTheIpModeIsNotWrittenToForEver() {
    var world = World.of(SERVICE).granted(TUNNEL, "203.0.113.9:16379").settle();
    ((ObjectNode) ingress(world).get(0)).remove("ipMode");

    assertThat(World.isQuiet(world.look())).isTrue();
  }

  @Test
  void otherConditionsOfItsStatusStay() {
    var world =
        World.of(SERVICE + "status: {conditions: [{type: example.com/X, status: \"True\"}]}\n")
            .granted(TUNNEL, "gw.example.com:16379")
            .settle();

    assertThat(world.get(Kind.SERVICE, "default", "redis").at("/status/conditions/0/type").asText())
        .isEqualTo("example.com/X");
  }

  @Test
  void onePortNumberMayBeTcpAndUdpAndOtherProtocolsAreTold() {
    var world =
        World.of(
            """
            kind: Service
            metadata: {name: dns}
            spec:
              type: LoadBalancer
              loadBalancerClass: penstock.dev/tunnel
              ports:
              - {name: t, port: 53, protocol: TCP}
              - {name: u, port: 53, protocol: UDP}
              - {name: s, port: 54, protocol: SCTP}
            """);
    Discovered found = world.look();
    assertThat(found.tunnels())
        .extracting(DesiredTunnel::id)
        .containsExactly("tcp-lab:service:default:dns:53", "udp-lab:service:default:dns:53");
    assertThat(found.notices()).extracting(Notice::reason).containsExactly("UnsupportedProtocol");

    world
        .granted("tcp-lab:service:default:dns:53", "gw.example.com:10053")
        .refused("udp-lab:service:default:dns:53", Grant.Cause.PORT, "none is left")
        .settle();
    JsonNode ports =
        world.get(Kind.SERVICE, "default", "dns").at("/status/loadBalancer/ingress/0/ports");
    assertThat(ports)
        .hasToString(
            "[{\"port\":10053,\"protocol\":\"TCP\"},"
                + "{\"port\":53,\"protocol\":\"UDP\",\"error\":\"penstock.dev/PortUnavailable\"},"
                + "{\"port\":54,\"protocol\":\"SCTP\",\"error\":\"penstock.dev/UnsupportedProtocol\"}]");
  }

  @Test
  void withoutAnAddressThereIsNoIngress() {
    var world = World.of(SERVICE).refused(TUNNEL, Grant.Cause.PORT, "none is left");

    assertThat(world.look().notices()).extracting(Notice::reason).contains("PortUnavailable");
    assertThat(ingress(world.settle())).isEmpty();
  }

  @Test
  void anAgentThatStartsTakesNoAddressAway() {
    var world = World.of(SERVICE).granted(TUNNEL, "gw.example.com:16379").settle();
    world.nothingGranted().link(GatewayLink.State.DOWN, world.now());

    assertThat(World.isQuiet(world.look())).isTrue();

    world.later(60).settle();
    assertThat(ingress(world)).isEmpty();
  }

  @Test
  void aServiceThatIsBeingDeletedIsNotTunnelled() {
    var world =
        World.of(
            SERVICE.replace(
                "name: redis}", "name: redis, deletionTimestamp: \"2026-03-01T11:00:00Z\"}"));

    assertThat(world.look().tunnels()).isEmpty();
  }

  @Test
  void oneThatHasTheSamePortTwiceIsOneTunnel() {
    var world = World.of(SERVICE + "  - {name: again, port: 6379, protocol: TCP}\n");

    assertThat(world.look().tunnels()).hasSize(1);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1, 65_536, 70_000})
  void aPortThatIsNoneIsToldAndTheOthersAreServed(int port) {
    Discovered found =
        World.of(SERVICE + "  - {name: odd, port: " + port + ", protocol: TCP}\n").look();

    assertThat(found.tunnels()).extracting(DesiredTunnel::id).containsExactly(TUNNEL);
    assertThat(found.notices()).extracting(Notice::reason).containsExactly("PortUnavailable");
  }

  private static JsonNode ingress(World world) {
    return world.get(Kind.SERVICE, "default", "redis").at("/status/loadBalancer/ingress");
  }
}
