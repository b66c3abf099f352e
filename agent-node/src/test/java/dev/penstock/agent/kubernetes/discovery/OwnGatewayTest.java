package dev.penstock.agent.kubernetes.discovery;

import static dev.penstock.agent.kubernetes.discovery.Samples.CLASS;
import static dev.penstock.agent.kubernetes.discovery.Samples.FOREIGN_CLASS;
import static dev.penstock.agent.kubernetes.discovery.Samples.GATEWAY;
import static dev.penstock.agent.kubernetes.discovery.Samples.ROUTE;
import static dev.penstock.agent.kubernetes.discovery.Samples.SERVICE;
import static dev.penstock.agent.kubernetes.discovery.Samples.TUNNEL;
import static dev.penstock.agent.kubernetes.discovery.Samples.gateway;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.Dialling;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.PortPolicy;
import dev.penstock.protocol.net.ProxyHeader;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OwnGatewayTest {
  @Test
  void aClassOfOursIsAcceptedWithItsFeaturesSorted() {
    var world = World.of(CLASS).settle();

    assertThat(world.classCondition("penstock", "Accepted")).isEqualTo("True/Accepted");
    assertThat(world.classCondition("penstock", "SupportedVersion"))
        .isEqualTo("True/SupportedVersion");
    assertThat(names(world.get(Kind.GATEWAY_CLASS, "", "penstock"), "supportedFeatures"))
        .contains("TCPRoute", "UDPRoute")
        .isSorted();
  }

  @Test
  void aClassOfAnotherControllerIsNotTouched() {
    assertThat(World.isQuiet(World.of(FOREIGN_CLASS).look())).isTrue();
  }

  @Test
  void theDefaultConditionOfTheApiIsReplacedWithItsTime() {
    var world =
        World.of(
                """
                kind: GatewayClass
                metadata: {name: penstock}
                spec: {controllerName: penstock.dev/tunnel-gateway}
                status:
                  conditions:
                  - {type: Accepted, status: Unknown, reason: Pending, message: waiting,
                     lastTransitionTime: "1970-01-01T00:00:00Z"}
                """)
            .settle();

    JsonNode conditions = world.get(Kind.GATEWAY_CLASS, "", "penstock").at("/status/conditions");
    assertThat(conditions.get(0).path("lastTransitionTime").asText())
        .isEqualTo("2026-03-01T12:00:00Z");
  }

  @Test
  void aClassHasTheFinalizerWhileAGatewayUsesIt() {
    var world = World.of(CLASS, GATEWAY).settle();
    assertThat(finalizers(world))
        .containsExactly("gateway-exists-finalizer.gateway.networking.k8s.io");

    world.remove(Kind.GATEWAY, "default", "db").settle();
    assertThat(finalizers(world)).isEmpty();
  }

  @Test
  void finalizersOfOthersStayOnAClass() {
    var world =
        World.of(
                GATEWAY,
                """
                kind: GatewayClass
                metadata: {name: penstock, finalizers: [example.com/mine]}
                spec: {controllerName: penstock.dev/tunnel-gateway}
                """)
            .settle();

    assertThat(finalizers(world))
        .containsExactly("example.com/mine", "gateway-exists-finalizer.gateway.networking.k8s.io");
    world.remove(Kind.GATEWAY, "default", "db").settle();
    assertThat(finalizers(world)).containsExactly("example.com/mine");
  }

  @Test
  void aClassThatIsOnItsWayOutGetsNoFinalizer() {
    var world =
        World.of(
            GATEWAY,
            """
            kind: GatewayClass
            metadata: {name: penstock, deletionTimestamp: "2026-03-01T11:00:00Z"}
            spec: {controllerName: penstock.dev/tunnel-gateway}
            """);

    assertThat(world.look().finalizers()).isEmpty();
  }

  @Test
  void aGatewayWhoseListenerHasItsPortIsProgrammedWithItsAddress() {
    var world = World.of(CLASS, GATEWAY).granted(TUNNEL, "gw.example.com:5432").settle();

    assertThat(world.gatewayCondition("db", "Accepted")).isEqualTo("True/Accepted");
    assertThat(world.gatewayCondition("db", "Programmed")).isEqualTo("True/Programmed");
    assertThat(world.listenerCondition("db", "pg", "Accepted")).isEqualTo("True/Accepted");
    assertThat(world.listenerCondition("db", "pg", "Conflicted")).isEqualTo("False/NoConflicts");
    assertThat(world.listenerCondition("db", "pg", "ResolvedRefs")).isEqualTo("True/ResolvedRefs");
    assertThat(world.listenerCondition("db", "pg", "Programmed")).isEqualTo("True/Programmed");
    assertThat(world.gatewayStatus("db").path("addresses").toString())
        .isEqualTo("[{\"type\":\"Hostname\",\"value\":\"gw.example.com\"}]");
  }

  @Test
  void anAddressInNumbersIsToldAsOne() {
    var world = World.of(CLASS, GATEWAY).granted(TUNNEL, "203.0.113.9:5432").settle();

    assertThat(world.gatewayStatus("db").at("/addresses/0/type").asText()).isEqualTo("IPAddress");
  }

  @Test
  void aListenerWithoutRoutesIsTunnelledAndRefusesEveryClient() {
    var tunnels = World.of(CLASS, GATEWAY).look().tunnels();

    assertThat(tunnels).hasSize(1);
    assertThat(tunnels.getFirst().id()).isEqualTo(TUNNEL);
    assertThat(tunnels.getFirst().backends()).isEmpty();
    assertThat(tunnels.getFirst().policy()).isEqualTo(PortPolicy.EXACT);
  }

  @Test
  void untilTheGatewayAnswersAListenerIsPending() {
    var world = World.of(CLASS, GATEWAY).settle();

    assertThat(world.listenerCondition("db", "pg", "Accepted")).isEqualTo("True/Accepted");
    assertThat(world.listenerCondition("db", "pg", "Programmed")).isEqualTo("False/Pending");
    assertThat(world.gatewayCondition("db", "Programmed")).isEqualTo("False/Pending");
    assertThat(world.gatewayStatus("db").path("addresses")).isEmpty();
  }

  @Test
  void withoutALinkAGatewayHasNoResources() {
    var world =
        World.of(CLASS, GATEWAY)
            .link(GatewayLink.State.DOWN, World.START.minusSeconds(61))
            .settle();

    assertThat(world.gatewayCondition("db", "Programmed")).isEqualTo("False/NoResources");
  }

  @Test
  void aLinkThatIsLostForAMinuteChangesNoStatus() {
    var world = World.of(CLASS, GATEWAY).granted(TUNNEL, "gw.example.com:5432").settle();

    world.link(GatewayLink.State.DOWN, world.now()).later(59);
    Discovered found = world.look();
    assertThat(World.isQuiet(found)).isTrue();
    assertThat(found.nextLook()).contains(World.START.plusSeconds(60));

    world.later(1).settle();
    assertThat(world.listenerCondition("db", "pg", "Programmed")).isEqualTo("False/Pending");
    assertThat(world.gatewayCondition("db", "Programmed")).isEqualTo("False/NoResources");
    assertThat(world.gatewayStatus("db").at("/addresses/0/value").asText())
        .isEqualTo("gw.example.com");
  }

  @Test
  void anAgentThatStartsTellsNobodyThatTheyAreCutOff() {
    var world = World.of(CLASS, GATEWAY).granted(TUNNEL, "gw.example.com:5432").settle();

    world.nothingGranted().link(GatewayLink.State.DOWN, world.now());
    assertThat(World.isQuiet(world.look())).isTrue();

    world.later(60).settle();
    assertThat(world.gatewayCondition("db", "Programmed")).isEqualTo("False/NoResources");
  }

  @Test
  void aPortOfAnotherTunnelMakesTheListenerPortUnavailable() {
    var world =
        World.of(CLASS, GATEWAY)
            .refused(TUNNEL, Grant.Cause.PORT, "5432 is another's (expected: a free port)");
    Discovered found = world.look();
    world.settle();

    assertThat(world.listenerCondition("db", "pg", "Accepted")).isEqualTo("False/PortUnavailable");
    assertThat(world.listenerCondition("db", "pg", "Programmed")).isEqualTo("False/Invalid");
    assertThat(world.gatewayCondition("db", "Accepted")).isEqualTo("False/ListenersNotValid");
    assertThat(found.notices()).extracting(Notice::reason).contains("PortUnavailable");
    assertThat(found.tunnels()).as("it is asked for again").hasSize(1);
  }

  @Test
  void twoClustersWithOneIdentityAreTold() {
    var world =
        World.of(CLASS, GATEWAY).refused(TUNNEL, Grant.Cause.IDENTITY, "another agent has it");
    Discovered found = world.look();
    world.settle();

    assertThat(world.listenerCondition("db", "pg", "Accepted")).isEqualTo("True/Accepted");
    assertThat(world.listenerCondition("db", "pg", "Programmed")).isEqualTo("False/Invalid");
    assertThat(found.notices()).extracting(Notice::reason).contains("IdentityTaken");
  }

  @Test
  void onePortRefusedLeavesTheOtherListenersServed() {
    var world =
        World.of(
                CLASS,
                gateway(
                    "name: pg, port: 5432, protocol: TCP",
                    "name: redis, port: 6379, protocol: TCP"))
            .granted(TUNNEL, "gw.example.com:5432")
            .refused("tcp-lab:gateway:default:db:redis", Grant.Cause.PORT, "out of the range")
            .settle();

    assertThat(world.gatewayCondition("db", "Accepted")).isEqualTo("True/ListenersNotValid");
    assertThat(world.gatewayCondition("db", "Programmed")).isEqualTo("True/Programmed");
    assertThat(world.listenerCondition("db", "pg", "Programmed")).isEqualTo("True/Programmed");
  }

  @Test
  void anExactPortThatIsNotTheListenersYetIsPending() {
    var world = World.of(CLASS, GATEWAY).granted(TUNNEL, "gw.example.com:15432").settle();

    assertThat(world.listenerCondition("db", "pg", "Programmed")).isEqualTo("False/Pending");
  }

  @ParameterizedTest(name = "{0}: {1}")
  @CsvSource(
      delimiter = '|',
      value = {
        "name: x, port: 80, protocol: HTTP                     | False/UnsupportedProtocol",
        "name: x, port: 443, protocol: TLS                     | False/UnsupportedProtocol",
        "name: x, port: 80, protocol: SCTP                     | False/UnsupportedProtocol",
        "name: x, port: 0, protocol: TCP                       | False/PortUnavailable",
        "name: x, port: 70000, protocol: TCP                   | False/PortUnavailable",
        "name: x, port: -1, protocol: UDP                      | False/PortUnavailable",
        "name: x, port: 5433, protocol: TCP, tls: {mode: Passthrough} | False/UnsupportedValue",
        "name: x, port: 5432, protocol: UDP                    | True/Accepted",
        "name: x, port: 5433, protocol: TCP                    | True/Accepted",
        "name: x, port: 65535, protocol: TCP                   | True/Accepted",
      })
  void aListenerIsAcceptedByItsOwnMerits(String listener, String accepted) {
    var world = World.of(CLASS, gateway("name: pg, port: 5432, protocol: TCP", listener)).settle();

    assertThat(world.listenerCondition("db", "x", "Accepted")).isEqualTo(accepted);
    assertThat(world.listenerCondition("db", "pg", "Accepted")).isEqualTo("True/Accepted");
    assertThat(world.gatewayCondition("db", "Accepted"))
        .isEqualTo(accepted.startsWith("True") ? "True/Accepted" : "True/ListenersNotValid");
  }

  @ParameterizedTest(name = "TCP 5432 and {0} {1}: conflicted {2}")
  @CsvSource({
    "TCP, 5432, True/ProtocolConflict",
    "HTTP, 5432, True/ProtocolConflict",
    "HTTPS, 5432, True/ProtocolConflict",
    "TLS, 5432, True/ProtocolConflict",
    "UDP, 5432, False/NoConflicts",
    "TCP, 5433, False/NoConflicts",
    "HTTP, 80, False/NoConflicts",
  })
  void listenersThatCannotShareAPortAreAllConflicted(String protocol, int port, String expected) {
    var world =
        World.of(
                CLASS,
                gateway(
                    "name: pg, port: 5432, protocol: TCP",
                    "name: x, port: " + port + ", protocol: " + protocol))
            .settle();

    assertThat(world.listenerCondition("db", "pg", "Conflicted")).isEqualTo(expected);
    assertThat(world.listenerCondition("db", "x", "Conflicted")).isEqualTo(expected);
    boolean isConflict = expected.startsWith("True");
    assertThat(world.listenerCondition("db", "pg", "Accepted").startsWith("True"))
        .isEqualTo(!isConflict);
    assertThat(world.look().tunnels().stream().anyMatch(one -> one.key().section().equals("pg")))
        .as("no winner is picked")
        .isEqualTo(!isConflict);
  }

  @Test
  void twoUdpListenersOnOnePortAreConflicted() {
    var world =
        World.of(
                CLASS,
                gateway("name: a, port: 53, protocol: UDP", "name: b, port: 53, protocol: UDP"))
            .settle();

    assertThat(world.listenerCondition("db", "a", "Conflicted")).isEqualTo("True/ProtocolConflict");
    assertThat(world.gatewayCondition("db", "Accepted")).isEqualTo("False/ListenersNotValid");
    assertThat(world.gatewayCondition("db", "Programmed")).isEqualTo("False/Invalid");
  }

  @Test
  void twoListenersOfOneNameAreBothRefused() {
    var world =
        World.of(
            CLASS, gateway("name: a, port: 53, protocol: UDP", "name: a, port: 54, protocol: UDP"));

    assertThat(world.look().tunnels()).isEmpty();
    world.settle();
    assertThat(world.listenerCondition("db", "a", "Accepted")).isEqualTo("False/UnsupportedValue");
  }

  @ParameterizedTest(name = "{0} with kinds {1}: {2}, {3}")
  @CsvSource(
      delimiter = '|',
      value = {
        "TCP | []                                     | TCPRoute | True/ResolvedRefs",
        "UDP | []                                     | UDPRoute | True/ResolvedRefs",
        "TCP | [{kind: TCPRoute}]                     | TCPRoute | True/ResolvedRefs",
        "TCP | [{kind: UDPRoute}]                     |          | False/InvalidRouteKinds",
        "TCP | [{kind: TCPRoute}, {kind: HTTPRoute}]  | TCPRoute | False/InvalidRouteKinds",
        "TCP | [{kind: TCPRoute, group: example.com}] |          | False/InvalidRouteKinds",
        "TCP | [{kind: TCPRoute, group: gateway.networking.k8s.io}] | TCPRoute | True/ResolvedRefs",
      })
  void onlyKindsThatTheProtocolHasAreSupported(
      String protocol, String kinds, String supported, String resolved) {
    var world =
        World.of(
                CLASS,
                gateway(
                    "name: pg, port: 5432, protocol: "
                        + protocol
                        + ", allowedRoutes: {kinds: "
                        + kinds
                        + "}"))
            .settle();

    assertThat(names(world.listener("db", "pg"), "supportedKinds", "kind"))
        .isEqualTo(supported == null ? List.of() : List.of(supported));
    assertThat(world.listenerCondition("db", "pg", "ResolvedRefs")).isEqualTo(resolved);
    assertThat(world.listenerCondition("db", "pg", "Accepted")).isEqualTo("True/Accepted");
  }

  @ParameterizedTest(name = "requested {0}: accepted {1}, programmed {2}")
  @CsvSource(
      delimiter = '|',
      value = {
        "{value: 203.0.113.9}                    | True/Accepted            | True/Programmed",
        "{type: IPAddress}                       | True/Accepted            | True/Programmed",
        "{type: IPAddress, value: 203.0.113.10}  | True/Accepted            | False/AddressNotUsable",
        "{type: Hostname, value: gw.example.com} | True/Accepted            | False/AddressNotUsable",
        "{type: example.com/pool, value: blue}   | False/UnsupportedAddress | False/Invalid",
      })
  void onlyTheAddressThatThereIsCanBeHad(String address, String accepted, String programmed) {
    var world =
        World.of(
                CLASS,
                """
                kind: Gateway
                metadata: {name: db}
                spec:
                  gatewayClassName: penstock
                  addresses: [%s]
                  listeners:
                  - {name: pg, port: 5432, protocol: TCP}
                """
                    .formatted(address))
            .granted(TUNNEL, "203.0.113.9:5432")
            .settle();

    assertThat(world.gatewayCondition("db", "Accepted")).isEqualTo(accepted);
    assertThat(world.gatewayCondition("db", "Programmed")).isEqualTo(programmed);
  }

  @Test
  void aGatewayWithoutListenersIsNotAccepted() {
    var world = World.of(CLASS, gateway()).settle();

    assertThat(world.gatewayCondition("db", "Accepted")).isEqualTo("False/ListenersNotValid");
  }

  @Test
  void aGatewayThatIsBeingDeletedIsNoLongerServed() {
    var world =
        World.of(
            CLASS,
            SERVICE,
            ROUTE,
            """
            kind: Gateway
            metadata: {name: db, deletionTimestamp: "2026-03-01T11:59:00Z"}
            spec:
              gatewayClassName: penstock
              listeners: [{name: pg, port: 5432, protocol: TCP}]
            """);

    assertThat(world.look().tunnels()).isEmpty();
    assertThat(world.look().statuses())
        .extracting(StatusWrite::ref)
        .noneMatch(ref -> ref.kind() == Kind.GATEWAY);
  }

  @Test
  void aGatewayOfAnUnknownClassIsNotTouched() {
    assertThat(World.isQuiet(World.of(GATEWAY).look())).isTrue();
  }

  @Test
  void gatewaysOfOtherNamespacesThanTheWatchedOnesAreNotTouched() {
    var world = World.of(CLASS, GATEWAY, SERVICE, ROUTE);
    world.namespaces = Set.of("elsewhere");

    assertThat(world.look().tunnels()).isEmpty();
    assertThat(world.look().statuses())
        .extracting(StatusWrite::ref)
        .allMatch(ref -> ref.kind() == Kind.GATEWAY_CLASS);
  }

  @Test
  void everyConditionTellsTheGenerationThatWasLookedAt() {
    var world = World.of(CLASS, GATEWAY, SERVICE, ROUTE).settle();
    world.apply(GATEWAY.replace("name: db", "name: db, generation: 7"));

    world.settle();

    assertThat(world.gatewayStatus("db").findValuesAsText("observedGeneration"))
        .isNotEmpty()
        .containsOnly("7");
  }

  @Test
  void aNewGenerationMovesNoTransitionTime() {
    var world = World.of(CLASS, GATEWAY).settle();
    JsonNode status = world.gatewayStatus("db").deepCopy();
    world.later(1000).apply(GATEWAY.replace("name: db", "name: db, generation: 7"));
    ((ObjectNode) world.get(Kind.GATEWAY, "default", "db")).set("status", status);

    world.settle();

    assertThat(world.gatewayStatus("db").findValuesAsText("lastTransitionTime"))
        .containsOnly("2026-03-01T12:00:00Z");
    assertThat(world.gatewayStatus("db").findValuesAsText("observedGeneration")).containsOnly("7");
  }

  @Test
  void nothingIsWrittenFromAViewThatIsOlderThanTheStatus() {
    var world =
        World.of(
            CLASS,
            """
            kind: Gateway
            metadata: {name: db, generation: 3}
            spec:
              gatewayClassName: penstock
              listeners: [{name: pg, port: 5432, protocol: TCP}]
            status:
              conditions:
              - {type: Accepted, status: "True", reason: Accepted, message: "", observedGeneration: 4,
                 lastTransitionTime: "2026-02-01T00:00:00Z"}
            """);

    assertThat(world.look().statuses())
        .extracting(StatusWrite::ref)
        .noneMatch(ref -> ref.kind() == Kind.GATEWAY);
  }

  @Test
  void conditionsOfOthersStayInAGatewaysStatus() {
    var world =
        World.of(
                CLASS,
                """
                kind: Gateway
                metadata: {name: db}
                spec:
                  gatewayClassName: penstock
                  listeners: [{name: pg, port: 5432, protocol: TCP}]
                status:
                  conditions:
                  - {type: example.com/Audited, status: "True", reason: Fine, message: all well,
                     observedGeneration: 1, lastTransitionTime: "2026-02-01T00:00:00Z"}
                """)
            .settle();

    assertThat(world.gatewayCondition("db", "example.com/Audited")).isEqualTo("True/Fine");
    assertThat(world.gatewayCondition("db", "Accepted")).isEqualTo("True/Accepted");
  }

  @Test
  void theStatusOfAListenerThatIsGoneGoesToo() {
    var world =
        World.of(
                CLASS,
                gateway(
                    "name: pg, port: 5432, protocol: TCP",
                    "name: redis, port: 6379, protocol: TCP"))
            .settle();
    JsonNode status = world.gatewayStatus("db").deepCopy();
    world.apply(GATEWAY);
    ((ObjectNode) world.get(Kind.GATEWAY, "default", "db")).set("status", status);

    world.settle();

    assertThat(names(world.get(Kind.GATEWAY, "default", "db"), "listeners")).containsExactly("pg");
  }

  @Test
  void classParametersHoldForItsGatewaysAndAGatewaysOwnComeFirst() {
    var world =
        World.of(
            """
            kind: GatewayClass
            metadata: {name: penstock}
            spec:
              controllerName: penstock.dev/tunnel-gateway
              parametersRef:
                {group: penstock.dev, kind: TunnelGatewayParameters, name: base, namespace: system}
            ---
            kind: TunnelGatewayParameters
            metadata: {name: base, namespace: system}
            spec: {portPolicy: Allocate, idleTimeout: 10m}
            ---
            kind: TunnelGatewayParameters
            metadata: {name: mine}
            spec: {idleTimeout: 1h, backendMode: ClusterIP}
            ---
            kind: Gateway
            metadata: {name: db}
            spec:
              gatewayClassName: penstock
              infrastructure:
                parametersRef: {group: penstock.dev, kind: TunnelGatewayParameters, name: mine}
              listeners: [{name: pg, port: 5432, protocol: TCP}]
            """);

    DesiredTunnel tunnel = world.look().tunnels().getFirst();

    assertThat(tunnel.policy()).isEqualTo(PortPolicy.ALLOCATE);
    assertThat(tunnel.idleTimeout()).contains(Duration.ofHours(1));
    assertThat(tunnel.dialling()).isEqualTo(Dialling.CLUSTER_IP);
  }

  @ParameterizedTest(name = "{0}: {1} for TCP, {2} for UDP")
  @CsvSource({"None, NONE, NONE", "V1, V1, NONE", "V2, V2, V2"})
  void theFirstVersionOfTheProxyProtocolIsForTcpOnly(
      String proxyProtocol, ProxyHeader tcp, ProxyHeader udp) {
    var world =
        World.of(
            CLASS,
            """
            kind: TunnelGatewayParameters
            metadata: {name: mine}
            spec: {proxyProtocol: "%s"}
            ---
            kind: Gateway
            metadata: {name: db}
            spec:
              gatewayClassName: penstock
              infrastructure:
                parametersRef: {group: penstock.dev, kind: TunnelGatewayParameters, name: mine}
              listeners:
              - {name: dns, port: 53, protocol: UDP}
              - {name: pg, port: 5432, protocol: TCP}
            """
                .formatted(proxyProtocol));

    assertThat(world.look().tunnels())
        .extracting(DesiredTunnel::proxyProtocol)
        .containsExactly(udp, tcp);
  }

  @Test
  void anAllocatedPortIsToldByTheConditionAndByAnEvent() {
    var world =
        World.of(
                """
                kind: GatewayClass
                metadata: {name: penstock}
                spec:
                  controllerName: penstock.dev/tunnel-gateway
                  parametersRef:
                    {group: penstock.dev, kind: TunnelGatewayParameters, name: base, namespace: system}
                ---
                kind: TunnelGatewayParameters
                metadata: {name: base, namespace: system}
                spec: {portPolicy: Allocate}
                """,
                GATEWAY)
            .granted(TUNNEL, "gw.example.com:15432");
    Discovered found = world.look();
    world.settle();

    assertThat(world.listenerCondition("db", "pg", "Programmed")).isEqualTo("True/Programmed");
    assertThat(world.listener("db", "pg").toString()).contains("gw.example.com:15432");
    assertThat(found.notices())
        .anyMatch(one ->
            one.message().contains("gw.example.com:15432") && one.level() == Notice.Level.NORMAL);
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "{group: penstock.dev, kind: TunnelGatewayParameters, name: gone, namespace: system}",
        "{group: penstock.dev, kind: TunnelGatewayParameters, name: base}",
        "{group: '', kind: ConfigMap, name: base, namespace: system}",
        "{group: penstock.dev, kind: TunnelGatewayParameters, name: bad, namespace: system}",
        "{group: penstock.dev, kind: TunnelGatewayParameters, name: silly, namespace: system}",
      })
  void aClassWhoseParametersCannotBeHadServesNothing(String ref) {
    var world =
        World.of(
            """
            kind: GatewayClass
            metadata: {name: penstock}
            spec: {controllerName: penstock.dev/tunnel-gateway, parametersRef: %s}
            ---
            kind: TunnelGatewayParameters
            metadata: {name: base, namespace: system}
            ---
            kind: TunnelGatewayParameters
            metadata: {name: bad, namespace: system}
            spec: {portPolicy: Whatever}
            ---
            kind: TunnelGatewayParameters
            metadata: {name: silly, namespace: system}
            spec: {idleTimeout: forever}
            """
                .formatted(ref),
            GATEWAY);

    assertThat(world.look().tunnels()).isEmpty();
    world.settle();
    assertThat(world.classCondition("penstock", "Accepted")).isEqualTo("False/InvalidParameters");
    assertThat(world.gatewayCondition("db", "Accepted")).isEqualTo("False/InvalidParameters");
    assertThat(world.gatewayCondition("db", "Programmed")).isEqualTo("False/Invalid");
  }

  @Test
  void parametersThatWereNeverReadMakeAGatewayPendingAndNotInvalid() {
    var world =
        World.of(
                """
                kind: GatewayClass
                metadata: {name: penstock}
                spec:
                  controllerName: penstock.dev/tunnel-gateway
                  parametersRef:
                    {group: penstock.dev, kind: TunnelGatewayParameters, name: a, namespace: b}
                """,
                GATEWAY)
            .kindIs(Kind.TUNNEL_GATEWAY_PARAMETERS, new Availability.Unread("forbidden"))
            .settle();

    assertThat(world.gatewayCondition("db", "Accepted")).isEqualTo("Unknown/Pending");
  }

  @Test
  void withoutTheGatewaysNothingIsConcluded() {
    var world = World.of(CLASS, GATEWAY, SERVICE, ROUTE).settle();

    world.kindIs(Kind.GATEWAY, new Availability.Unread("list gateways is forbidden"));

    assertThat(World.isQuiet(world.look())).isTrue();
  }

  @Test
  void routesThatWereNeverReadAreNotToldAsGone() {
    var world = World.of(CLASS, GATEWAY, SERVICE, ROUTE).settle();
    assertThat(world.listener("db", "pg").path("attachedRoutes").asInt()).isEqualTo(1);

    world.kindIs(Kind.TCP_ROUTE, new Availability.Unread("list tcproutes is forbidden"));

    assertThat(world.look().statuses()).isEmpty();
  }

  @Test
  void aGatewayThatCannotBeReadIsToldAndSpoilsNoOther() {
    var world =
        World.of(
            CLASS,
            GATEWAY,
            """
            kind: Gateway
            metadata: {name: broken}
            spec:
              gatewayClassName: penstock
              listeners: [{name: pg, port: many, protocol: TCP}]
            """);

    assertThat(world.look().tunnels()).hasSize(1);
    assertThat(world.look().notices())
        .anyMatch(one ->
            one.regarding().name().equals("broken")
                && one.reason().equals("Unreadable")
                && one.message().contains("spec.listeners[0].port: \"many\""));
  }

  @Test
  void annotationsOfOursAreHandedToTheGateway() {
    var world =
        World.of(
            CLASS,
            GATEWAY.replace(
                "name: db",
                "name: db, annotations: {penstock.dev/max-connections: \"7\", other: \"1\"}"));

    assertThat(world.look().tunnels().getFirst().annotations())
        .containsExactly(Map.entry("penstock.dev/max-connections", "7"));
  }

  private static List<String> finalizers(World world) {
    return StreamSupport.stream(
            world.get(Kind.GATEWAY_CLASS, "", "penstock").at("/metadata/finalizers").spliterator(),
            false)
        .map(JsonNode::asText)
        .toList();
  }

  private static List<String> names(JsonNode object, String list) {
    return names(object.path("status"), list, "name");
  }

  private static List<String> names(JsonNode node, String list, String field) {
    return StreamSupport.stream(node.path(list).spliterator(), false)
        .map(one -> one.path(field).asText())
        .toList();
  }
}
