package dev.penstock.agent.kubernetes.discovery;

import static dev.penstock.agent.kubernetes.discovery.Samples.CLASS;
import static dev.penstock.agent.kubernetes.discovery.Samples.FOREIGN_CLASS;
import static dev.penstock.agent.kubernetes.discovery.Samples.MARKED;
import static dev.penstock.agent.kubernetes.discovery.Samples.ROUTE;
import static dev.penstock.agent.kubernetes.discovery.Samples.SERVICE;
import static dev.penstock.agent.kubernetes.discovery.Samples.TUNNEL;
import static dev.penstock.agent.kubernetes.discovery.Samples.route;
import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.agent.kubernetes.discovery.DiscoveryOptions.GrantPolicy;
import dev.penstock.agent.kubernetes.discovery.DiscoveryOptions.TrustOwner;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.PortPolicy;
import dev.penstock.agent.settings.RoutingSettings.DualMode;
import dev.penstock.agent.settings.RoutingSettings.ForceTunnel;
import dev.penstock.protocol.control.RoutingMode;
import java.time.Duration;
import java.util.Optional;
import org.assertj.core.groups.Tuple;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Marked Gateways of other controllers.
class ForeignGatewayTest {
  private static World world(String... more) {
    return World.of(FOREIGN_CLASS, SERVICE, MARKED, ROUTE).apply(more);
  }

  @Test
  void aMarkedGatewayIsTunnelledAndNothingOfItIsWritten() {
    Discovered found = world().look();

    assertThat(found.tunnels()).hasSize(1);
    assertThat(found.tunnels().getFirst().id()).isEqualTo(TUNNEL);
    assertThat(found.tunnels().getFirst().policy()).isEqualTo(PortPolicy.ALLOCATE);
    assertThat(found.tunnels().getFirst().routes())
        .containsExactly(new ObjectRef(Kind.TCP_ROUTE, "default", "postgres"));
    assertThat(found.statuses()).isEmpty();
    assertThat(found.finalizers()).isEmpty();
    assertThat(found.endpoints()).hasSize(1).allMatch(EndpointWrite.Create.class::isInstance);
  }

  @ParameterizedTest(name = "label {0} with {1}: tunnelled {2}")
  @CsvSource(
      delimiter = '|',
      value = {
        "pipeops.io/managed         | {pipeops.io/managed: 'true'}  | true",
        "pipeops.io/managed         | {pipeops.io/managed: 'false'} | false",
        "pipeops.io/managed         | {pipeops.io/managed: ''}      | false",
        "pipeops.io/managed         | {other: 'true'}               | false",
        "pipeops.io/managed         | {}                            | false",
        "penstock.dev/expose=yes    | {penstock.dev/expose: 'yes'}  | true",
        "penstock.dev/expose=yes    | {penstock.dev/expose: 'true'} | false",
        "penstock.dev/expose=       | {penstock.dev/expose: ''}     | true",
      })
  void aGatewayIsMarkedByKeyAndValue(String label, String labels, boolean isTunnelled) {
    var world =
        World.of(
            FOREIGN_CLASS,
            SERVICE,
            ROUTE,
            MARKED.replace("{pipeops.io/managed: \"true\"}", labels));
    world.label = Optional.of(GatewayLabel.parse(label));

    assertThat(world.look().tunnels()).hasSize(isTunnelled ? 1 : 0);
  }

  @Test
  void withoutALabelInTheSettingsNothingForeignIsTunnelled() {
    var world = world();
    world.label = Optional.empty();

    assertThat(world.look().tunnels()).isEmpty();
  }

  @Test
  void aMarkedGatewayOfOurClassIsOurs() {
    var world =
        World.of(CLASS, SERVICE, ROUTE, MARKED.replace("ClassName: istio", "ClassName: penstock"));

    assertThat(world.look().tunnels()).hasSize(1);
    assertThat(world.look().tunnels().getFirst().policy()).isEqualTo(PortPolicy.EXACT);
    assertThat(world.look().statuses()).isNotEmpty();
  }

  @Test
  void aGatewayWhoseClassIsNotThereIsTunnelledToo() {
    var world = World.of(SERVICE, MARKED, ROUTE);

    assertThat(world.look().tunnels()).hasSize(1);
    assertThat(world.look().statuses()).isEmpty();
  }

  @Test
  void whileTheClassesWereNeverReadNobodyKnowsWhoseItIs() {
    var world = world().kindIs(Kind.GATEWAY_CLASS, new Availability.Unread("forbidden"));

    assertThat(world.look().tunnels()).isEmpty();
    assertThat(World.isQuiet(world.look())).isTrue();
  }

  @Test
  void aListenerWithoutARouteTakesNoPort() {
    assertThat(World.of(FOREIGN_CLASS, MARKED).look().tunnels()).isEmpty();
  }

  @Test
  void aRouteThatIsRemovedEndsItsTunnel() {
    var world = world();
    assertThat(world.look().tunnels()).hasSize(1);

    world.remove(Kind.TCP_ROUTE, "default", "postgres");

    assertThat(world.look().tunnels()).isEmpty();
  }

  @ParameterizedTest(name = "{0}: tunnelled")
  @CsvSource(
      delimiter = '|',
      value = {
        "name: db, sectionName: pg | true",
        "name: db                  | true",
        "name: db, port: 5432      | true",
        "name: db, port: 5433      | false",
        "name: db, sectionName: xx | false",
        "name: other               | false",
      })
  void aRouteIsMatchedAsTheApiSays(String parent, boolean isTunnelled) {
    var world = World.of(FOREIGN_CLASS, SERVICE, MARKED, route("TCPRoute", "default", parent));

    assertThat(world.look().tunnels()).hasSize(isTunnelled ? 1 : 0);
  }

  @Test
  void listenersOfOtherProtocolsAreLeftToTheOwner() {
    var world =
        world(
            MARKED
                + "  - {name: web, port: 80, protocol: HTTP}\n"
                + "  - {name: tls, port: 443, protocol: TLS}\n");

    assertThat(world.look().tunnels()).extracting(one -> one.key().section()).containsExactly("pg");
    assertThat(world.look().notices()).isEmpty();
  }

  @ParameterizedTest(name = "trust {0}, owner {1} of generation {2} (is 3): tunnelled {3}")
  @CsvSource({
    "AUTO,   True,    3, true",
    "AUTO,   False,   3, false",
    "AUTO,   False,   2, true",
    "AUTO,   True,    2, true",
    "AUTO,   Unknown, 3, true",
    "AUTO,   none,    0, true",
    "ALWAYS, True,    3, true",
    "ALWAYS, False,   3, false",
    "ALWAYS, True,    2, false",
    "ALWAYS, Unknown, 3, false",
    "ALWAYS, none,    0, false",
    "NEVER,  True,    3, true",
    "NEVER,  False,   3, true",
    "NEVER,  none,    0, true",
  })
  void theOwnersWordAboutARouteCountsAsFarAsItIsTrusted(
      TrustOwner trust, String status, int generation, boolean isTunnelled) {
    String entry =
        status.equals("none")
            ? ""
            : """
            status:
              parents:
              - parentRef: {name: db, sectionName: pg}
                controllerName: istio.io/gateway-controller
                conditions:
                - {type: Accepted, status: "%s", reason: R, message: "", observedGeneration: %d}
            """
                .formatted(status, generation);
    var world = world(ROUTE.replace("name: postgres}", "name: postgres, generation: 3}") + entry);
    world.trust = trust;

    assertThat(world.look().tunnels()).hasSize(isTunnelled ? 1 : 0);
    assertThat(world.look().statuses()).isEmpty();
  }

  @Test
  void whatAThirdControllerSaysOfARouteDoesNotCount() {
    var world =
        world(
            ROUTE
                + """
                status:
                  parents:
                  - parentRef: {name: db, sectionName: pg}
                    controllerName: example.com/other
                    conditions:
                    - {type: Accepted, status: "False", reason: R, message: "", observedGeneration: 1}
                """);

    assertThat(world.look().tunnels()).hasSize(1);
  }

  @ParameterizedTest(
      name = "trust {0}, Gateway accepted {1} of generation {2} (is 1): tunnelled {3}")
  @CsvSource({
    "AUTO,   False, 1, false",
    "AUTO,   False, 0, true",
    "AUTO,   True,  1, true",
    "NEVER,  False, 1, true",
  })
  void aGatewayThatItsOwnerRefusesIsNotTunnelled(
      TrustOwner trust, String status, int generation, boolean isTunnelled) {
    var world =
        world(
            MARKED
                + """
                status:
                  conditions:
                  - {type: Accepted, status: "%s", reason: Invalid, message: refused, observedGeneration: %d}
                  - {type: Programmed, status: "False", reason: AddressNotAssigned, message: refused,
                     observedGeneration: 1}
                """
                    .formatted(status, generation));
    world.trust = trust;

    assertThat(world.look().tunnels()).hasSize(isTunnelled ? 1 : 0);
    assertThat(
            world.look().notices().stream()
                .anyMatch(one -> one.reason().equals("NotAcceptedByOwner")))
        .isEqualTo(!isTunnelled);
  }

  @Test
  void aGatewayWithoutAnAddressIsJustWhatATunnelIsFor() {
    var world =
        world(
            MARKED
                + """
                status:
                  conditions:
                  - {type: Accepted, status: "True", reason: Accepted, message: "", observedGeneration: 1}
                  - {type: Programmed, status: "False", reason: AddressNotAssigned, message: "",
                     observedGeneration: 1}
                """);

    assertThat(world.look().tunnels()).hasSize(1);
  }

  private static final String DNS_GATEWAY =
      """
      kind: Gateway
      metadata: {name: db, labels: {pipeops.io/managed: "true"}}
      spec:
        gatewayClassName: istio
        listeners: [{name: dns, port: 53, protocol: UDP}]
      status:
        conditions:
        - {type: Accepted, status: "False", reason: ListenersNotValid, message: refused, observedGeneration: 1}
        listeners:
        - name: dns
          conditions:
          - {type: Accepted, status: "False", reason: %s, message: refused, observedGeneration: 1}
      """;

  @ParameterizedTest(name = "trust {0}, owner says {1}: tunnelled {2}")
  @CsvSource({
    "AUTO,   UnsupportedProtocol, true",
    "AUTO,   PortUnavailable,     false",
    "ALWAYS, UnsupportedProtocol, false",
    "NEVER,  UnsupportedProtocol, true",
    "NEVER,  PortUnavailable,     true",
  })
  void aUdpListenerThatItsOwnerDoesNotKnowIsTunnelledAllTheSame(
      TrustOwner trust, String reason, boolean isTunnelled) {
    var world =
        World.of(
            FOREIGN_CLASS,
            SERVICE.replace("protocol: TCP", "protocol: UDP"),
            DNS_GATEWAY.formatted(reason),
            route("UDPRoute", "default", "name: db"));
    world.trust = trust;

    assertThat(world.look().tunnels()).hasSize(isTunnelled ? 1 : 0);
    if (trust == TrustOwner.AUTO) {
      assertThat(world.look().notices())
          .extracting(Notice::reason)
          .contains(isTunnelled ? "TunnelledAllTheSame" : "NotAcceptedByOwner");
    }
  }

  @Test
  void theOwnersRefusalOfARouteToSuchAListenerDoesNotCountEither() {
    var world =
        World.of(
            FOREIGN_CLASS,
            SERVICE.replace("protocol: TCP", "protocol: UDP"),
            DNS_GATEWAY.formatted("UnsupportedProtocol"),
            route("UDPRoute", "default", "name: db")
                + """
                status:
                  parents:
                  - parentRef: {name: db}
                    controllerName: istio.io/gateway-controller
                    conditions:
                    - {type: Accepted, status: "False", reason: NoMatchingParent, message: "",
                       observedGeneration: 1}
                """);

    assertThat(world.look().tunnels()).hasSize(1);
  }

  @Test
  void aTcpListenerThatItsOwnerRefusesIsNotTunnelled() {
    var world =
        world(
            MARKED
                + """
                status:
                  listeners:
                  - name: pg
                    conditions:
                    - {type: Accepted, status: "False", reason: UnsupportedProtocol, message: refused,
                       observedGeneration: 1}
                """);

    assertThat(world.look().tunnels()).isEmpty();
  }

  @Test
  void aListenerInConflictIsNotTunnelled() {
    var world =
        world(
            MARKED
                + """
                status:
                  listeners:
                  - name: pg
                    conditions:
                    - {type: Conflicted, status: "True", reason: HostnameConflict, message: refused,
                       observedGeneration: 1}
                """);

    assertThat(world.look().tunnels()).isEmpty();
  }

  @ParameterizedTest(name = "annotation {0}, forced {1}, dual {2}, address {3}: {4} with {5}")
  @CsvSource(
      delimiter = '|',
      value = {
        "       | ON  | ON  |             | TUNNEL | ",
        "       | ON  | ON  | 203.0.113.9 | TUNNEL | ",
        "       | ON  | OFF | 203.0.113.9 | TUNNEL | ",
        "       | OFF | ON  |             | TUNNEL | ",
        "       | OFF | ON  | 203.0.113.9 | DUAL   | 203.0.113.9:5432",
        "       | OFF | ON  | 10.0.0.1    | TUNNEL | ",
        "       | OFF | ON  | 192.168.1.1 | TUNNEL | ",
        "       | OFF | ON  | 172.20.0.1  | TUNNEL | ",
        "       | OFF | ON  | 100.64.3.4  | TUNNEL | ",
        "       | OFF | ON  | 127.0.0.1   | TUNNEL | ",
        "       | OFF | ON  | 169.254.1.1 | TUNNEL | ",
        "       | OFF | ON  | fd00::1     | TUNNEL | ",
        "       | OFF | ON  | 2600::1     | DUAL   | [2600::1]:5432",
        "       | OFF | ON  | lb.example.com              | DUAL   | lb.example.com:5432",
        "       | OFF | ON  | internal-a.elb.amazonaws.com | TUNNEL | ",
        "       | OFF | ON  | db.svc.cluster.local        | TUNNEL | ",
        "       | OFF | ON  | gateway                     | TUNNEL | ",
        "       | OFF | OFF |             | TUNNEL | ",
        "       | OFF | OFF | 203.0.113.9 | DIRECT | 203.0.113.9:5432",
        "       | OFF | OFF | 10.0.0.1    | TUNNEL | ",
        "tunnel | OFF | ON  | 203.0.113.9 | TUNNEL | ",
        "direct | ON  | ON  | 203.0.113.9 | DIRECT | 203.0.113.9:5432",
        "direct | ON  | ON  | 10.0.0.1    | DIRECT | 10.0.0.1:5432",
        "direct | ON  | ON  |             | none   | ",
        "dual   | ON  | ON  | 203.0.113.9 | DUAL   | 203.0.113.9:5432",
        "dual   | ON  | ON  |             | TUNNEL | ",
        "both   | ON  | ON  | 203.0.113.9 | TUNNEL | ",
        "Direct | OFF | ON  | 203.0.113.9 | DUAL   | 203.0.113.9:5432",
      })
  void theModeIsAskedForForcedOrDetected(
      String annotation,
      ForceTunnel forced,
      DualMode dual,
      String address,
      String mode,
      String endpoint) {
    String gateway =
        annotation == null
            ? MARKED
            : MARKED.replace(
                "name: db,",
                "name: db, annotations: {pipeops.io/routing-mode: " + annotation + "},");
    boolean isName = address != null && !address.matches("[0-9.]+|.*:.*");
    var world =
        world(
            gateway
                + (address == null
                    ? ""
                    : "status: {addresses: [{type: %s, value: '%s'}]}\n"
                        .formatted(isName ? "Hostname" : "IPAddress", address)));
    world.forced = forced;
    world.dual = dual;

    var tunnels = world.look().tunnels();

    if (mode.equals("none")) {
      assertThat(tunnels).isEmpty();
      assertThat(world.look().notices()).extracting(Notice::reason).contains("AddressNotAssigned");
    } else {
      assertThat(tunnels.getFirst().mode()).isEqualTo(RoutingMode.valueOf(mode));
      assertThat(tunnels.getFirst().publicEndpoint().map(Object::toString))
          .isEqualTo(Optional.ofNullable(endpoint));
    }
  }

  @Test
  void anAnnotationThatMakesNoSenseIsTold() {
    var world =
        world(
            MARKED.replace(
                "name: db,",
                "name: db, annotations: {pipeops.io/routing-mode: both, pipeops.io/idle-timeout: x},"));

    assertThat(world.look().notices())
        .extracting(Notice::reason, Notice::message)
        .contains(
            Tuple.tuple(
                "InvalidAnnotation",
                "pipeops.io/routing-mode: both (expected: direct, tunnel or dual)"),
            Tuple.tuple(
                "InvalidAnnotation",
                "pipeops.io/idle-timeout: x (expected: a duration from 100ms to 24h, such as 10m)"));
  }

  @Test
  void theFirstPublicAddressIsTold() {
    var world =
        world(
            MARKED
                + "status: {addresses: [{type: IPAddress, value: 10.0.0.1}, "
                + "{type: IPAddress, value: 203.0.113.9}]}\n");
    world.forced = ForceTunnel.OFF;

    assertThat(world.look().tunnels().getFirst().publicEndpoint().map(Object::toString))
        .contains("203.0.113.9:5432");
  }

  @Test
  void whatMayBecomeDirectWaitsForAnAddress() {
    var world =
        world(
            MARKED.replace("name: db,", "name: db, creationTimestamp: \"2026-03-01T12:00:00Z\","));
    world.forced = ForceTunnel.OFF;
    world.dual = DualMode.OFF;

    Discovered found = world.later(29).look();
    assertThat(found.tunnels()).isEmpty();
    assertThat(found.nextLook()).contains(World.START.plusSeconds(30));

    assertThat(world.later(1).look().tunnels().getFirst().mode()).isEqualTo(RoutingMode.TUNNEL);
  }

  @Test
  void whatIsTunnelledEitherWayDoesNotWait() {
    var world =
        world(
            MARKED.replace("name: db,", "name: db, creationTimestamp: \"2026-03-01T12:00:00Z\","));
    world.forced = ForceTunnel.OFF;

    assertThat(world.look().tunnels().getFirst().mode()).isEqualTo(RoutingMode.TUNNEL);
  }

  @Test
  void aServerWhoseClockIsAheadMakesNobodyWait() {
    var world =
        world(
            MARKED.replace("name: db,", "name: db, creationTimestamp: \"2026-03-01T13:00:00Z\","));
    world.forced = ForceTunnel.OFF;
    world.dual = DualMode.OFF;

    assertThat(world.look().tunnels()).hasSize(1);
  }

  @Test
  void anAddressThatComesLateTakesNoTunnelAway() {
    var world = world();
    world.forced = ForceTunnel.OFF;
    world.dual = DualMode.OFF;
    world.granted(TUNNEL, "gw.example.com:15432").settle();
    assertThat(world.look().tunnels().getFirst().mode()).isEqualTo(RoutingMode.TUNNEL);

    world.apply(MARKED + "status: {addresses: [{type: IPAddress, value: 203.0.113.9}]}\n");
    assertThat(world.look().tunnels().getFirst().mode()).isEqualTo(RoutingMode.DUAL);

    world.settle().nothingGranted();
    assertThat(world.look().tunnels().getFirst().mode())
        .as("an agent that starts knows it by what users were told")
        .isEqualTo(RoutingMode.DUAL);
  }

  @Test
  void theIdleTimeoutOfAnAnnotationHolds() {
    var world =
        world(
            MARKED.replace("name: db,", "name: db, annotations: {pipeops.io/idle-timeout: 10m},"));

    assertThat(world.look().tunnels().getFirst().idleTimeout()).contains(Duration.ofMinutes(10));
  }

  @ParameterizedTest(name = "grants {0}: served {1}")
  @CsvSource({"ENFORCE, false", "WARN, true"})
  void withoutAReferenceGrantTheSettingsDecide(GrantPolicy policy, boolean isServed) {
    var world =
        World.of(
            FOREIGN_CLASS,
            MARKED,
            SERVICE.replace("name: postgres", "name: postgres, namespace: databases"),
            ROUTE.replace("{name: postgres, port", "{name: postgres, namespace: databases, port"));
    world.grantPolicy = policy;

    Discovered found = world.look();

    assertThat(found.tunnels().getFirst().backends().getFirst())
        .isInstanceOf(isServed ? Backend.ToService.class : Backend.Invalid.class);
    assertThat(found.notices()).extracting(Notice::reason).contains("RefNotPermitted");
  }

  @Test
  void ofTwoRoutesTheOldestIsServedAndTheOtherTold() {
    var world =
        world(
            ROUTE.replace(
                "name: postgres}", "name: older, creationTimestamp: \"2026-01-01T00:00:00Z\"}"));

    assertThat(world.look().tunnels().getFirst().routes().getFirst().name()).isEqualTo("older");
    assertThat(world.look().notices())
        .anyMatch(one ->
            one.reason().equals("OlderRouteServed") && one.regarding().name().equals("postgres"));
  }

  @Test
  void thePublicAddressIsToldToTheGatewayAndTheRoute() {
    var world = world().granted(TUNNEL, "gw.example.com:15432");

    assertThat(world.look().notices())
        .filteredOn(one -> one.message().contains("gw.example.com:15432"))
        .extracting(one -> one.regarding().kind())
        .containsExactlyInAnyOrder(Kind.GATEWAY, Kind.TCP_ROUTE);
  }

  @Test
  void equalNamesInTwoNamespacesAreTwoTunnels() {
    var world =
        world(
            MARKED.replace("name: db", "namespace: other, name: db"),
            route("TCPRoute", "other", "name: db"));

    assertThat(world.look().tunnels())
        .extracting(DesiredTunnel::id)
        .containsExactlyInAnyOrder(TUNNEL, "tcp-lab:gateway:other:db:pg");
  }
}
