package dev.penstock.agent.kubernetes.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ContainerNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.agent.kubernetes.discovery.DiscoveryOptions.GrantPolicy;
import dev.penstock.agent.kubernetes.discovery.DiscoveryOptions.TrustOwner;
import dev.penstock.agent.kubernetes.objects.GatewayClass;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.settings.RoutingSettings.DualMode;
import dev.penstock.agent.settings.RoutingSettings.ForceTunnel;
import dev.penstock.protocol.Seeds;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What holds for every cluster.
class DiscoveryPropertiesTest {
  private static final List<String> NAMESPACES = List.of("default", "apps", "data");
  private static final List<String> GATEWAYS = List.of("g0", "g1", "g2");
  private static final List<String> SERVICES = List.of("s0", "s1", "gone");
  private static final List<Integer> PORTS = List.of(53, 5432, 6379, 70_000, 0);

  static LongStream seeds() {
    return Seeds.many();
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void theOrderOfTheObjectsChangesNothing(long seed) {
    var random = Seeds.random(seed);
    World world = world(random);

    assertThat(world.lookShuffled(random)).isEqualTo(world.look());
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void whatIsWrittenLeadsToNoFurtherWrites(long seed) {
    var random = Seeds.random(seed);
    World world = world(random);

    world.settle();
    if (world.look().nextLook().isEmpty()) {
      assertThat(World.isQuiet(world.later(1000).look())).as("nobody waits").isTrue();
    } else {
      world.later(1000).settle();
      assertThat(world.look().nextLook()).as("all waits are over").isEmpty();
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void whatIsForeignNeverChanges(long seed) {
    var random = Seeds.random(seed);
    World world = world(random);
    Map<String, String> before = foreign(world);

    world.settle();
    // Another state of the gateway makes most statuses change once more.
    world.nothingGranted().later(5000).settle();

    assertThat(foreign(world)).isEqualTo(before);
  }

  static LongStream fewSeeds() {
    return Seeds.few();
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("fewSeeds")
  void noTwoTunnelsHaveOneId(long seed) {
    assertThat(world(Seeds.random(seed)).look().tunnels())
        .extracting(DesiredTunnel::id)
        .doesNotHaveDuplicates()
        .allMatch(id -> id.matches("[A-Za-z0-9._:/-]{1,253}"));
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void noObjectHoweverAbsurdStopsTheRest(long seed) {
    var random = Seeds.random(seed);
    World world = world(random);
    var objects = new ArrayList<ObjectNode>();
    for (Kind kind : Kind.values()) {
      objects.addAll(world.all(kind));
    }
    for (int i = 0; i < 5; i++) {
      spoil(objects.get(random.nextInt(objects.size())), random);
    }
    world.apply(Samples.CLASS, Samples.GATEWAY, Samples.SERVICE, Samples.ROUTE);

    assertThat(world.look().tunnels())
        .anyMatch(one -> one.id().equals(Samples.TUNNEL) && one.backends().size() == 1);
  }

  /// One that has looked many times, and one that never has.
  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void whatWasFoundBeforeMakesNoDifference(long seed) {
    var random = Seeds.random(seed);
    World world = world(random);
    var experienced = new Discovery(world.options());
    for (int step = 0; step < 25; step++) {
      Discovered now = experienced.look(world.view(), world.gatewayState(), world.now());
      Discovered fresh =
          new Discovery(world.options()).look(world.view(), world.gatewayState(), world.now());
      assertThat(now.tunnels()).as("step %d", step).isEqualTo(fresh.tunnels());
      assertThat(withoutTimes(now)).as("step %d", step).isEqualTo(withoutTimes(fresh));
      change(world, now, random);
    }
  }

  /// A status that was to be written before keeps the time of then.
  private static String withoutTimes(Discovered found) {
    return found.toString().replaceAll("\"lastTransitionTime\":\"[^\"]*\"", "");
  }

  private static String grant(String namespace, String from) {
    return """
    kind: ReferenceGrant
    metadata: {name: g, namespace: %s}
    spec:
      from: [{group: gateway.networking.k8s.io, kind: TCPRoute, namespace: %s}]
      to: [{group: "", kind: Service}]
    """
        .formatted(namespace, from);
  }

  private static void change(World world, Discovered now, RandomGenerator random) {
    String namespace = pick(random, NAMESPACES);
    switch (random.nextInt(13)) {
      case 0 -> world.apply(gateway(random, namespace, pick(random, GATEWAYS)));
      case 1 -> world.apply(route(random, namespace, "r" + random.nextInt(4)));
      case 2 -> world.apply(Samples.namespace(namespace, random.nextBoolean() ? "team: a" : ""));
      case 3 ->
          world.apply(
              """
              kind: Service
              metadata: {name: %s, namespace: %s}
              spec: {ports: [{name: a, port: %s}]}
              """
                  .formatted(pick(random, SERVICES), namespace, pick(random, PORTS)));
      case 4 -> world.apply(grant(namespace, pick(random, NAMESPACES)));
      case 5 -> world.link(pick(random, GatewayLink.State.values()), world.now());
      case 6 -> world.later(random.nextInt(50));
      case 7 ->
          now.tunnels()
              .forEach(
                  tunnel -> world.granted(tunnel.id(), "gw.example.com:" + tunnel.listenerPort()));
      case 8 ->
          world.apply(
              pick(random, Samples.CLASS, Samples.CLASS.replace("penstock.dev/", "other.dev/")));
      case 9 ->
          world.kindIs(
              pick(random, Kind.NAMESPACE, Kind.SERVICE, Kind.UDP_ROUTE, Kind.TUNNEL_ENDPOINT),
              pick(random, new Availability.Unread("no right"), new Availability.Served("v1")));
      case 10 ->
          now.tunnels()
              .forEach(
                  tunnel -> world.refused(tunnel.id(), pick(random, Grant.Cause.values()), "no"));
      default -> world.settle();
    }
  }

  /// Everything that is not ours to write.
  private static Map<String, String> foreign(World world) {
    var foreign = new TreeMap<String, String>();
    for (ObjectNode route : concat(world, Kind.TCP_ROUTE, Kind.UDP_ROUTE)) {
      var entries = new ArrayList<String>();
      for (JsonNode parent : route.at("/status/parents")) {
        if (!parent.path("controllerName").asText().equals(GatewayClass.OUR_CONTROLLER)) {
          entries.add(parent.toString());
        }
      }
      foreign.put("route " + name(route), entries.toString());
      foreign.put("route spec " + name(route), route.path("spec").toString());
    }
    for (ObjectNode gateway : world.all(Kind.GATEWAY)) {
      if (gateway.at("/spec/gatewayClassName").asText().equals("istio")) {
        foreign.put("gateway " + name(gateway), gateway.toString());
      }
    }
    for (Kind kind : List.of(Kind.SERVICE, Kind.NAMESPACE, Kind.REFERENCE_GRANT)) {
      world.all(kind).forEach(one -> foreign.put(kind + name(one), one.toString()));
    }
    foreign.put("class", world.get(Kind.GATEWAY_CLASS, "", "istio").toString());
    return foreign;
  }

  private static List<ObjectNode> concat(World world, Kind one, Kind other) {
    var all = new ArrayList<>(world.all(one));
    all.addAll(world.all(other));
    return all;
  }

  private static String name(JsonNode object) {
    return object.path("kind").asText()
        + " "
        + object.at("/metadata/namespace").asText()
        + "/"
        + object.at("/metadata/name").asText();
  }

  private static World world(RandomGenerator random) {
    var world = World.of(Samples.CLASS, Samples.FOREIGN_CLASS);
    world.forced = pick(random, ForceTunnel.values());
    world.dual = pick(random, DualMode.values());
    world.trust = pick(random, TrustOwner.values());
    world.grantPolicy = pick(random, GrantPolicy.values());
    for (String namespace : NAMESPACES) {
      world.apply(Samples.namespace(namespace, random.nextBoolean() ? "team: a" : ""));
      for (String service : SERVICES.subList(0, 2)) {
        world.apply(
            """
            kind: Service
            metadata: {name: %s, namespace: %s}
            spec: {type: %s, ports: [{name: a, port: 5432}, {name: b, port: 53, protocol: UDP}]}
            """
                .formatted(service, namespace, pick(random, "ClusterIP", "ExternalName")));
      }
      if (random.nextBoolean()) {
        world.apply(grant(namespace, pick(random, NAMESPACES)));
      }
      for (String gateway : GATEWAYS) {
        if (random.nextInt(3) > 0) {
          world.apply(gateway(random, namespace, gateway));
        }
      }
      for (int i = 0; i < 4; i++) {
        world.apply(route(random, namespace, "r" + i));
      }
    }
    for (DesiredTunnel tunnel : world.look().tunnels()) {
      switch (random.nextInt(4)) {
        case 0 -> world.granted(tunnel.id(), "gw.example.com:" + tunnel.listenerPort());
        case 1 -> world.granted(tunnel.id(), "203.0.113.9:15432");
        case 2 -> world.refused(tunnel.id(), pick(random, Grant.Cause.values()), "no");
        default -> {}
      }
    }
    if (random.nextInt(3) == 0) {
      world.link(GatewayLink.State.DOWN, World.START.minusSeconds(random.nextInt(100)));
    }
    return world;
  }

  private static String gateway(RandomGenerator random, String namespace, String name) {
    var listeners = new StringBuilder();
    for (int i = random.nextInt(4); i >= 0; i--) {
      listeners.append(
          "  - {name: l%d, port: %d, protocol: %s, allowedRoutes: {namespaces: %s}}\n"
              .formatted(
                  random.nextInt(5),
                  pick(random, PORTS),
                  pick(random, "TCP", "UDP", "HTTP", "TCP"),
                  pick(
                      random,
                      "{from: All}",
                      "{from: Same}",
                      "{from: Selector, selector: {matchLabels: {team: a}}}")));
    }
    return """
    kind: Gateway
    metadata: {name: %s, namespace: %s, labels: {pipeops.io/managed: "%s"}}
    spec:
      gatewayClassName: %s
      listeners:
    %sstatus: {addresses: [%s]}
    """
        .formatted(
            name,
            namespace,
            random.nextInt(4) > 0,
            pick(random, "penstock", "istio"),
            listeners,
            pick(random, "", "{type: IPAddress, value: 203.0.113.7}"));
  }

  private static String route(RandomGenerator random, String namespace, String name) {
    var yaml = new StringBuilder();
    yaml.append("kind: ").append(pick(random, "TCPRoute", "UDPRoute")).append('\n');
    yaml.append(
        "metadata: {name: %s, namespace: %s, generation: 2, creationTimestamp: \"2026-01-0%dT00:00:00Z\"}\n"
            .formatted(name, namespace, 1 + random.nextInt(3)));
    yaml.append("spec:\n  parentRefs:\n");
    for (int i = random.nextInt(3); i >= 0; i--) {
      yaml.append("  - {name: ").append(pick(random, GATEWAYS));
      yaml.append(pick(random, "", ", namespace: default", ", namespace: apps"));
      yaml.append(pick(random, "", ", sectionName: l1", ", port: 5432")).append("}\n");
    }
    yaml.append("  rules:\n  - backendRefs:\n");
    for (int i = random.nextInt(3); i > 0; i--) {
      yaml.append(
          "    - {name: %s, port: %s, weight: %d%s}\n"
              .formatted(
                  pick(random, SERVICES),
                  pick(random, "5432", "53", "9"),
                  random.nextInt(3),
                  pick(random, "", ", namespace: data", ", kind: Other")));
    }
    yaml.append("status:\n  parents:\n");
    for (int i = random.nextInt(4); i > 0; i--) {
      yaml.append(
          """
            - controllerName: %s
              note: [%d, {b: 1, a: 2}]
              parentRef: {name: %s}
              conditions:
              - {type: Accepted, status: "%s", reason: R, message: m, observedGeneration: %d,
                 lastTransitionTime: "2026-01-01T00:00:00.5Z"}
          """
              .formatted(
                  pick(random, "istio.io/gateway-controller", "a.b/c", GatewayClass.OUR_CONTROLLER),
                  random.nextInt(100),
                  pick(random, GATEWAYS),
                  pick(random, "True", "False"),
                  1 + random.nextInt(3)));
    }
    return yaml.toString();
  }

  /// Puts nonsense somewhere into an object.
  private static void spoil(ObjectNode object, RandomGenerator random) {
    ContainerNode<?> at = object;
    while (true) {
      int size = at.size();
      if (size == 0) {
        return;
      }
      int index = random.nextInt(size);
      JsonNode child =
          at instanceof ObjectNode node
              ? node.properties().stream().skip(index).findFirst().orElseThrow().getValue()
              : at.get(index);
      if (child instanceof ContainerNode<?> container && random.nextInt(3) > 0) {
        at = container;
        continue;
      }
      JsonNode nonsense = nonsense(random);
      if (at instanceof ObjectNode node) {
        String name = node.properties().stream().skip(index).findFirst().orElseThrow().getKey();
        // The kind is what the caller asked for, and the name is what the test finds it by.
        if (!name.equals("kind")) {
          node.set(name, nonsense);
        }
      } else if (at instanceof ArrayNode list) {
        list.set(index, nonsense);
      }
      return;
    }
  }

  private static JsonNode nonsense(RandomGenerator random) {
    JsonNodeFactory make = JsonNodeFactory.instance;
    return switch (random.nextInt(9)) {
      case 0 -> make.nullNode();
      case 1 -> make.numberNode(-1);
      case 2 -> make.numberNode(Long.MAX_VALUE);
      case 3 -> make.numberNode(1.5);
      case 4 -> make.textNode("");
      case 5 -> make.textNode("\u0000\ud800 x");
      case 6 -> make.objectNode().put("x", 1);
      case 7 -> make.arrayNode().add(1).addNull();
      default -> make.booleanNode(true);
    };
  }

  private static <T> T pick(RandomGenerator random, List<T> from) {
    return from.get(random.nextInt(from.size()));
  }

  @SafeVarargs
  private static <T> T pick(RandomGenerator random, T... from) {
    return from[random.nextInt(from.length)];
  }
}
