package dev.penstock.agent.kubernetes.discovery;

import static dev.penstock.agent.kubernetes.discovery.Samples.CLASS;
import static dev.penstock.agent.kubernetes.discovery.Samples.FOREIGN_CLASS;
import static dev.penstock.agent.kubernetes.discovery.Samples.GATEWAY;
import static dev.penstock.agent.kubernetes.discovery.Samples.ROUTE;
import static dev.penstock.agent.kubernetes.discovery.Samples.SERVICE;
import static dev.penstock.agent.kubernetes.discovery.Samples.gateway;
import static dev.penstock.agent.kubernetes.discovery.Samples.namespace;
import static dev.penstock.agent.kubernetes.discovery.Samples.route;
import static dev.penstock.agent.kubernetes.discovery.Samples.routeTo;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.agent.kubernetes.objects.Kind;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Routes at Gateways of our own class.
class RouteTest {
  private static final String TWO_LISTENERS =
      gateway(
          "name: pg, port: 5432, protocol: TCP, allowedRoutes: {namespaces: {from: All}}",
          "name: dns, port: 53, protocol: UDP, allowedRoutes: {namespaces: {from: All}}");

  @ParameterizedTest(name = "{0} to {1}: {2}, attached to {3}")
  @CsvSource(
      delimiter = '|',
      value = {
        "TCPRoute | name: db                              | True/Accepted               | pg",
        "UDPRoute | name: db                              | True/Accepted               | dns",
        "TCPRoute | name: db, sectionName: pg             | True/Accepted               | pg",
        "TCPRoute | name: db, sectionName: dns            | False/NotAllowedByListeners | ",
        "UDPRoute | name: db, sectionName: pg             | False/NotAllowedByListeners | ",
        "TCPRoute | name: db, sectionName: nope           | False/NoMatchingParent      | ",
        "TCPRoute | name: db, port: 5432                  | True/Accepted               | pg",
        "TCPRoute | name: db, port: 5433                  | False/NoMatchingParent      | ",
        "TCPRoute | name: db, sectionName: pg, port: 5432 | True/Accepted               | pg",
        "TCPRoute | name: db, sectionName: pg, port: 53   | False/NoMatchingParent      | ",
        "UDPRoute | name: db, sectionName: pg, port: 53   | False/NoMatchingParent      | ",
        "TCPRoute | name: db, namespace: default          | True/Accepted               | pg",
        "TCPRoute | name: db, kind: Gateway, group: gateway.networking.k8s.io | True/Accepted | pg",
        "TCPRoute | name: nope                            | no entry                    | ",
        "TCPRoute | name: db, namespace: elsewhere        | no entry                    | ",
        "TCPRoute | name: db, kind: Service, group: ''    | no entry                    | ",
      })
  void aRouteAttachesBySectionAndPort(
      String kind, String parent, String accepted, String listener) {
    var world = World.of(CLASS, TWO_LISTENERS, SERVICE, route(kind, "default", parent)).settle();

    assertThat(world.routeCondition(World.kind(kind), "default", "postgres", "Accepted"))
        .isEqualTo(accepted);
    for (String name : List.of("pg", "dns")) {
      assertThat(world.listener("db", name).path("attachedRoutes").asInt())
          .as(name)
          .isEqualTo(name.equals(listener) ? 1 : 0);
    }
  }

  @ParameterizedTest(name = "from {0}, a route of {1}: {2}")
  @CsvSource(
      delimiter = '|',
      value = {
        "{}                                                    | default | True/Accepted",
        "{}                                                    | apps    | False/NotAllowedByListeners",
        "{from: Same}                                          | apps    | False/NotAllowedByListeners",
        "{from: All}                                           | apps    | True/Accepted",
        "{from: None}                                          | default | False/NotAllowedByListeners",
        "{from: Sometimes}                                     | default | False/NotAllowedByListeners",
        "{from: Selector}                                      | apps    | False/NotAllowedByListeners",
        "{from: Selector, selector: {}}                        | apps    | True/Accepted",
        "{from: Selector, selector: {matchLabels: {team: a}}}  | apps    | True/Accepted",
        "{from: Selector, selector: {matchLabels: {team: b}}}  | apps    | False/NotAllowedByListeners",
        "{from: Selector, selector: {matchLabels: {team: a}}}  | default | False/NotAllowedByListeners",
        "{from: Selector, selector: {matchLabels: {team: a}}}  | unknown | False/NotAllowedByListeners",
        "{from: Selector, selector: {}}                        | unknown | False/NotAllowedByListeners",
        "{from: Selector, selector: {matchExpressions: [{key: team, operator: In, values: [b, a]}]}}   | apps | True/Accepted",
        "{from: Selector, selector: {matchExpressions: [{key: team, operator: NotIn, values: [a]}]}}   | apps | False/NotAllowedByListeners",
        "{from: Selector, selector: {matchExpressions: [{key: team, operator: NotIn, values: [b]}]}}   | apps | True/Accepted",
        "{from: Selector, selector: {matchExpressions: [{key: team, operator: Exists}]}}               | apps | True/Accepted",
        "{from: Selector, selector: {matchExpressions: [{key: team, operator: DoesNotExist}]}}         | apps | False/NotAllowedByListeners",
        "{from: Selector, selector: {matchExpressions: [{key: color, operator: DoesNotExist}]}}        | apps | True/Accepted",
        "{from: Selector, selector: {matchExpressions: [{key: team, operator: Near, values: [a]}]}}    | apps | False/NotAllowedByListeners",
        "{from: Selector, selector: {matchLabels: {team: a}, matchExpressions: [{key: x, operator: Exists}]}} | apps | False/NotAllowedByListeners",
      })
  void aListenerChoosesTheNamespacesOfItsRoutes(String from, String namespace, String accepted) {
    var world =
        World.of(
                CLASS,
                namespace("default", ""),
                namespace("apps", "team: a"),
                gateway(
                    "name: pg, port: 5432, protocol: TCP, allowedRoutes: {namespaces: "
                        + from
                        + "}"),
                route("TCPRoute", namespace, "name: db, namespace: default"))
            .settle();

    assertThat(world.routeCondition(Kind.TCP_ROUTE, namespace, "postgres", "Accepted"))
        .isEqualTo(accepted);
  }

  @Test
  void aNamespaceThatGetsTheLabelLetsItsRoutesIn() {
    String selecting =
        gateway(
            "name: pg, port: 5432, protocol: TCP, allowedRoutes: "
                + "{namespaces: {from: Selector, selector: {matchLabels: {team: a}}}}");
    var world =
        World.of(
                CLASS,
                selecting,
                namespace("apps", ""),
                route("TCPRoute", "apps", "name: db, namespace: default"))
            .settle();
    assertThat(world.look().tunnels().getFirst().routes()).isEmpty();

    world.apply(namespace("apps", "team: a")).settle();

    assertThat(world.look().tunnels().getFirst().routes()).hasSize(1);
    assertThat(world.routeCondition(Kind.TCP_ROUTE, "apps", "postgres", "Accepted"))
        .isEqualTo("True/Accepted");
  }

  @Test
  void namespacesThatWereNeverReadLeaveARoutePending() {
    var world =
        World.of(
                CLASS,
                gateway(
                    "name: pg, port: 5432, protocol: TCP, allowedRoutes: "
                        + "{namespaces: {from: Selector, selector: {}}}"),
                route("TCPRoute", "apps", "name: db, namespace: default"))
            .kindIs(Kind.NAMESPACE, new Availability.Unread("list namespaces is forbidden"))
            .settle();

    assertThat(world.routeCondition(Kind.TCP_ROUTE, "apps", "postgres", "Accepted"))
        .isEqualTo("Unknown/Pending");
  }

  @Test
  void anAcceptedRouteCountsAlsoAtAListenerThatIsNotAccepted() {
    var world =
        World.of(
                CLASS,
                gateway(
                    "name: pg, port: 5432, protocol: TCP", "name: web, port: 5432, protocol: TLS"),
                SERVICE,
                ROUTE)
            .settle();

    assertThat(world.listenerCondition("db", "pg", "Accepted")).startsWith("False");
    assertThat(world.listener("db", "pg").path("attachedRoutes").asInt()).isEqualTo(1);
    assertThat(world.routeCondition(Kind.TCP_ROUTE, "default", "postgres", "Accepted"))
        .isEqualTo("True/Accepted");
    assertThat(world.look().tunnels()).isEmpty();
  }

  @Test
  void ofSeveralRoutesTheOldestIsServedAndTheOthersAreTold() {
    var world =
        World.of(
            CLASS,
            GATEWAY,
            SERVICE,
            ROUTE.replace(
                "name: postgres}", "name: young, creationTimestamp: \"2026-02-03T00:00:00Z\"}"),
            ROUTE.replace(
                "name: postgres}", "name: old, creationTimestamp: \"2026-02-01T00:00:00Z\"}"),
            ROUTE.replace(
                "name: postgres}", "name: mid, creationTimestamp: \"2026-02-02T00:00:00Z\"}"));

    Discovered found = world.look();

    assertThat(found.tunnels().getFirst().routes())
        .extracting(ref -> ref.name())
        .containsExactly("old", "mid", "young");
    assertThat(found.notices())
        .filteredOn(one -> one.reason().equals("OlderRouteServed"))
        .extracting(one -> one.regarding().name())
        .containsExactly("mid", "young");
    world.settle();
    assertThat(world.listener("db", "pg").path("attachedRoutes").asInt()).isEqualTo(3);
    for (String name : List.of("old", "mid", "young")) {
      assertThat(world.routeCondition(Kind.TCP_ROUTE, "default", name, "Accepted"))
          .isEqualTo("True/Accepted");
    }
  }

  @Test
  void ofRoutesOfOneSecondTheFirstNameIsServed() {
    var world =
        World.of(
            CLASS,
            GATEWAY,
            SERVICE,
            ROUTE.replace("name: postgres}", "name: b}"),
            ROUTE.replace("name: postgres}", "name: a}"));

    assertThat(world.look().tunnels().getFirst().routes().getFirst().name()).isEqualTo("a");
  }

  @Test
  void aHundredRoutesOnOneListenerAreAllAcceptedAndCounted() {
    var world = World.of(CLASS, GATEWAY, SERVICE);
    for (int i = 0; i < 100; i++) {
      world.apply(ROUTE.replace("name: postgres}", "name: r%02d}".formatted(i)));
    }
    world.settle();

    assertThat(world.listener("db", "pg").path("attachedRoutes").asInt()).isEqualTo(100);
    assertThat(world.look().notices())
        .filteredOn(one -> one.reason().equals("OlderRouteServed"))
        .hasSize(99);
  }

  @Test
  void aRouteWithTwoReferencesToOneListenerCountsOnceAndHasTwoEntries() {
    var world =
        World.of(
                CLASS,
                GATEWAY,
                SERVICE,
                """
                kind: TCPRoute
                metadata: {name: postgres}
                spec:
                  parentRefs:
                  - {name: db, sectionName: pg}
                  - {name: db}
                  rules: [{backendRefs: [{name: postgres, port: 5432}]}]
                """)
            .settle();

    assertThat(parents(world)).hasSize(2);
    assertThat(world.listener("db", "pg").path("attachedRoutes").asInt()).isEqualTo(1);
  }

  @Test
  void aReferenceThatIsThereTwiceHasOneEntry() {
    var world =
        World.of(
                CLASS,
                GATEWAY,
                SERVICE,
                """
                kind: TCPRoute
                metadata: {name: postgres}
                spec:
                  parentRefs:
                  - {name: db}
                  - {name: db, namespace: default}
                  rules: [{backendRefs: [{name: postgres, port: 5432}]}]
                """)
            .settle();

    assertThat(parents(world)).hasSize(1);
  }

  @Test
  void rulesThatCanNeverMatchAreTold() {
    var world =
        World.of(
                CLASS,
                GATEWAY,
                SERVICE,
                """
                kind: TCPRoute
                metadata: {name: postgres}
                spec:
                  parentRefs: [{name: db}]
                  rules:
                  - backendRefs: [{name: postgres, port: 5432}]
                  - backendRefs: [{name: postgres, port: 9999}]
                  - {}
                """)
            .settle();

    assertThat(parents(world).toString()).contains("2 more can never match");
    assertThat(world.look().tunnels().getFirst().backends())
        .hasSize(1)
        .allMatch(Backend.ToService.class::isInstance);
    assertThat(resolved(world)).isEqualTo("True/ResolvedRefs");
  }

  @Test
  void aRouteIsReadAsV1alpha2Too() {
    var world =
        World.of(
                CLASS, GATEWAY, SERVICE, "apiVersion: gateway.networking.k8s.io/v1alpha2\n" + ROUTE)
            .kindIs(Kind.UDP_ROUTE, new Availability.Absent());
    world.kindIs(Kind.TCP_ROUTE, new Availability.Served("v1alpha2")).settle();

    assertThat(resolved(world)).isEqualTo("True/ResolvedRefs");
  }

  @ParameterizedTest(name = "{0}: {1}")
  @CsvSource(
      delimiter = '|',
      value = {
        "name: postgres, port: 5432                       | True/ResolvedRefs",
        "name: postgres, port: 5432, weight: 0            | True/ResolvedRefs",
        "name: postgres, port: 5433                       | False/BackendNotFound",
        "name: postgres                                   | False/BackendNotFound",
        "name: nope, port: 5432                           | False/BackendNotFound",
        "name: outside, port: 5432                        | False/BackendNotFound",
        "name: broken, port: 5432                         | False/BackendNotFound",
        "name: postgres, port: 53                         | False/UnsupportedProtocol",
        "name: dns, port: 53                              | True/ResolvedRefs",
        "name: headless, port: 5432                       | True/ResolvedRefs",
        "name: postgres, port: 5432, kind: ConfigMap      | False/InvalidKind",
        "name: postgres, port: 5432, group: example.com   | False/InvalidKind",
        "name: postgres, port: 5432, kind: ServiceImport, group: multicluster.x-k8s.io | False/InvalidKind",
        "name: postgres, port: 5432, namespace: default   | True/ResolvedRefs",
        "name: far, port: 5432, namespace: other          | False/RefNotPermitted",
        "name: nope, port: 5432, namespace: other         | False/RefNotPermitted",
        "name: far, port: 5432, namespace: other, kind: X | False/InvalidKind",
        "name: postgres, port: -5                         | False/BackendNotFound",
        "name: odd, port: 70000                           | False/BackendNotFound",
      })
  void aBackendIsResolvedOrItsReasonTold(String backend, String resolved) {
    var world =
        World.of(
            CLASS,
            GATEWAY,
            SERVICE.replace(
                "- {name: sql, port: 5432, protocol: TCP}",
                "- {name: sql, port: 5432}\n  - {name: dns, port: 53, protocol: UDP}"),
            """
            kind: Service
            metadata: {name: far, namespace: other}
            spec: {clusterIP: 10.0.0.8, ports: [{port: 5432}]}
            ---
            kind: Service
            metadata: {name: dns}
            spec: {ports: [{name: u, port: 53, protocol: UDP}, {name: t, port: 53, protocol: TCP}]}
            ---
            kind: Service
            metadata: {name: odd}
            spec: {ports: [{port: 70000}]}
            ---
            kind: Service
            metadata: {name: headless}
            spec: {clusterIP: None, ports: [{port: 5432}]}
            ---
            kind: Service
            metadata: {name: broken}
            spec: {ports: [{port: high}]}
            ---
            kind: Service
            metadata: {name: outside}
            spec: {type: ExternalName, externalName: example.com, ports: [{port: 5432}]}
            """,
            routeTo(backend));
    Discovered found = world.look();
    world.settle();

    assertThat(resolved(world)).isEqualTo(resolved);
    assertThat(world.routeCondition(Kind.TCP_ROUTE, "default", "postgres", "Accepted"))
        .isEqualTo("True/Accepted");
    assertThat(found.tunnels().getFirst().backends())
        .singleElement()
        .isInstanceOf(
            resolved.startsWith("True") ? Backend.ToService.class : Backend.Invalid.class);
    assertThat(found.notices().stream().anyMatch(one -> resolved.endsWith("/" + one.reason())))
        .as("what fails is told by an Event, what works is not")
        .isEqualTo(resolved.startsWith("False"));
  }

  @Test
  void aServiceThatCannotBeReadIsToldWithItsProblem() {
    var world =
        World.of(
                CLASS,
                GATEWAY,
                ROUTE,
                "kind: Service\nmetadata: {name: postgres}\nspec: {ports: 5}")
            .settle();

    assertThat(resolved(world)).isEqualTo("False/BackendNotFound");
    assertThat(world.get(Kind.TCP_ROUTE, "default", "postgres").toString())
        .contains("Service default/postgres cannot be read: spec.ports");
  }

  @Test
  void anInvalidBackendKeepsItsShare() {
    var world =
        World.of(
            CLASS,
            GATEWAY,
            SERVICE,
            routeTo(
                "name: postgres, port: 5432, weight: 20", "name: nope, port: 5432, weight: 80"));

    assertThat(world.look().tunnels().getFirst().backends())
        .extracting(Backend::weight)
        .containsExactly(20, 80);
    world.settle();
    assertThat(resolved(world)).isEqualTo("False/BackendNotFound");
  }

  @Test
  void aRouteWithoutBackendsIsAcceptedAndRefusesEveryClient() {
    var world = World.of(CLASS, GATEWAY, routeTo()).settle();

    assertThat(resolved(world)).isEqualTo("True/ResolvedRefs");
    assertThat(world.look().tunnels().getFirst().backends()).isEmpty();
  }

  @Test
  void servicesThatWereNeverReadAreNotToldAsMissing() {
    var world =
        World.of(CLASS, GATEWAY, ROUTE)
            .kindIs(Kind.SERVICE, new Availability.Unread("list services is forbidden"))
            .settle();

    assertThat(resolved(world)).isEqualTo("Unknown/Pending");
  }

  @ParameterizedTest(name = "from {0} to {1} in {2}: {3}")
  @CsvSource(
      delimiter = '|',
      value = {
        "{kind: TCPRoute, namespace: default}  | {kind: Service}              | other   | True/ResolvedRefs",
        "{kind: TCPRoute, namespace: default}  | {kind: Service, name: far}   | other   | True/ResolvedRefs",
        "{kind: TCPRoute, namespace: default}  | {kind: Service, name: near}  | other   | False/RefNotPermitted",
        "{kind: TCPRoute, namespace: default}  | {kind: Secret}               | other   | False/RefNotPermitted",
        "{kind: TCPRoute, namespace: default}  | {kind: Service, group: apps} | other   | False/RefNotPermitted",
        "{kind: UDPRoute, namespace: default}  | {kind: Service}              | other   | False/RefNotPermitted",
        "{kind: HTTPRoute, namespace: default} | {kind: Service}              | other   | False/RefNotPermitted",
        "{kind: TCPRoute, namespace: third}    | {kind: Service}              | other   | False/RefNotPermitted",
        "{kind: TCPRoute, namespace: default}  | {kind: Service}              | default | False/RefNotPermitted",
        "{kind: TCPRoute, namespace: default}  | {kind: Service}              | third   | False/RefNotPermitted",
        "{kind: TCPRoute, namespace: other}    | {kind: Service}              | default | False/RefNotPermitted",
      })
  void aReferenceToAnotherNamespaceNeedsItsGrant(
      String from, String to, String namespace, String resolved) {
    var world =
        World.of(CLASS, GATEWAY, farService(), farRoute(), grant("g", namespace, from, to))
            .settle();

    assertThat(resolved(world)).isEqualTo(resolved);
  }

  @Test
  void severalGrantsAddUp() {
    var world =
        World.of(
                CLASS,
                GATEWAY,
                farService(),
                farRoute(),
                grant("a", "other", "{kind: HTTPRoute, namespace: default}", "{kind: Service}"),
                grant("b", "other", "{kind: TCPRoute, namespace: default}", "{kind: Service}"))
            .settle();

    assertThat(resolved(world)).isEqualTo("True/ResolvedRefs");
  }

  @Test
  void aGrantThatIsRevokedCutsTheBackendOff() {
    var world =
        World.of(
                CLASS,
                GATEWAY,
                farService(),
                farRoute(),
                grant("g", "other", "{kind: TCPRoute, namespace: default}", "{kind: Service}"))
            .settle();
    assertThat(world.look().tunnels().getFirst().backends().getFirst())
        .isInstanceOf(Backend.ToService.class);

    world.remove(Kind.REFERENCE_GRANT, "other", "g").later(10).settle();

    assertThat(world.look().tunnels().getFirst().backends().getFirst())
        .isInstanceOf(Backend.Invalid.class);
    assertThat(resolved(world)).isEqualTo("False/RefNotPermitted");
  }

  @Test
  void atOurOwnGatewaysGrantsAreEnforcedWhateverTheSettingsSay() {
    var world = World.of(CLASS, GATEWAY, farService(), farRoute());
    world.grantPolicy = DiscoveryOptions.GrantPolicy.WARN;
    world.settle();

    assertThat(resolved(world)).isEqualTo("False/RefNotPermitted");
  }

  @Test
  void aGrantIsReadAsV1beta1Too() {
    var world =
        World.of(
                CLASS,
                GATEWAY,
                farService(),
                farRoute(),
                "apiVersion: gateway.networking.k8s.io/v1beta1\n"
                    + grant(
                        "g", "other", "{kind: TCPRoute, namespace: default}", "{kind: Service}"))
            .settle();

    assertThat(resolved(world)).isEqualTo("True/ResolvedRefs");
  }

  private static final String FOREIGN_ENTRY =
      """
      {"zz":[1,2.5,{"b":1,"a":null}],"controllerName":"istio.io/gateway-controller",\
      "parentRef":{"name":"theirs","group":"gateway.networking.k8s.io","kind":"Gateway"},\
      "conditions":[{"type":"Accepted","status":"True","reason":"Accepted","message":"ok",\
      "observedGeneration":1,"lastTransitionTime":"2026-02-01T00:00:00.123456Z","extra":true}]}\
      """;

  @Test
  void entriesOfOthersStayAsAndWhereTheyAre() {
    String other = FOREIGN_ENTRY.replace("\"theirs\"", "\"third\"");
    String oldOfOurs =
        """
        {"parentRef":{"name":"db","sectionName":"pg"},"controllerName":"penstock.dev/tunnel-gateway",\
        "conditions":[]}\
        """;
    var world = World.of(CLASS, FOREIGN_CLASS, GATEWAY, SERVICE);
    world.apply(withParents(ROUTE, FOREIGN_ENTRY, oldOfOurs, other)).settle();

    JsonNode parents = parents(world);
    assertThat(parents).hasSize(3);
    assertThat(parents.get(0)).hasToString(json(FOREIGN_ENTRY));
    assertThat(parents.get(2)).hasToString(json(other));
    assertThat(parents.get(1).path("controllerName").asText())
        .isEqualTo("penstock.dev/tunnel-gateway");
    assertThat(World.condition(parents.get(1).path("conditions"), "Accepted"))
        .isEqualTo("True/Accepted");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"controllerName\":7,\"parentRef\":{\"name\":\"x\"}}",
        "{\"controllerName\":\"a.b/c\",\"parentRef\":\"x\",\"conditions\":\"none\"}",
        "{}",
      })
  void entriesOfOthersThatMakeNoSenseStayToo(String entry) {
    var world = World.of(CLASS, GATEWAY, SERVICE);
    world.apply(withParents(ROUTE, entry)).settle();

    assertThat(parents(world)).hasSize(2);
    assertThat(parents(world).get(0)).hasToString(json(entry));
  }

  @Test
  void nothingIsWrittenOnARouteNoneOfWhoseParentsIsOurs() {
    var world = World.of(CLASS, FOREIGN_CLASS, SERVICE);
    world.apply(withParents(ROUTE.replace("name: db", "name: theirs"), FOREIGN_ENTRY));
    world.apply(GATEWAY.replace("name: db", "name: theirs").replace("penstock", "istio"));

    assertThat(world.look().statuses())
        .extracting(StatusWrite::ref)
        .allMatch(ref -> ref.kind() == Kind.GATEWAY_CLASS);
  }

  @Test
  void ourEntryGoesWhenTheRouteNoLongerNamesTheGateway() {
    var world = World.of(CLASS, GATEWAY, SERVICE);
    String oldOfOurs =
        "{\"parentRef\":{\"name\":\"db\"},\"controllerName\":\"penstock.dev/tunnel-gateway\"}";
    world.apply(
        withParents(
            ROUTE.replace("name: db, sectionName: pg", "name: other"), FOREIGN_ENTRY, oldOfOurs));
    world.settle();

    assertThat(parents(world)).hasSize(1);
    assertThat(parents(world).get(0)).hasToString(json(FOREIGN_ENTRY));
  }

  @Test
  void ourEntryGoesWhenTheGatewayIsGone() {
    var world = World.of(CLASS, GATEWAY, SERVICE, ROUTE).settle();
    assertThat(parents(world)).hasSize(1);

    world.remove(Kind.GATEWAY, "default", "db").settle();

    assertThat(parents(world)).isEmpty();
  }

  @Test
  void aRouteWhoseStatusIsOfALaterGenerationIsLeftAlone() {
    var world = World.of(CLASS, GATEWAY, SERVICE);
    world.apply(
        withParents(
            ROUTE,
            """
            {"parentRef":{"name":"db","sectionName":"pg"},\
            "controllerName":"penstock.dev/tunnel-gateway","conditions":[\
            {"type":"Accepted","status":"False","reason":"Pending","message":"",\
            "observedGeneration":2,"lastTransitionTime":"2026-02-01T00:00:00Z"}]}\
            """));

    assertThat(world.look().statuses())
        .extracting(StatusWrite::ref)
        .noneMatch(ref -> ref.kind() == Kind.TCP_ROUTE);
  }

  @Test
  void theTransitionTimeOfARouteMovesOnlyWithItsStatus() {
    var world = World.of(CLASS, GATEWAY, ROUTE).settle();
    world.later(100).apply(SERVICE).settle();

    JsonNode conditions = parents(world).get(0).path("conditions");
    assertThat(conditions.get(0).path("lastTransitionTime").asText())
        .isEqualTo("2026-03-01T12:00:00Z");
    assertThat(conditions.get(1).path("type").asText()).isEqualTo("ResolvedRefs");
    assertThat(conditions.get(1).path("lastTransitionTime").asText())
        .isEqualTo("2026-03-01T12:01:40Z");
  }

  @ParameterizedTest(name = "{0} of others and {1} of ours: {2} in all, ours {3}")
  @CsvSource({
    "30, 2, 32, 2",
    "30, 4, 32, 2",
    "31, 4, 32, 1",
    "32, 1, 32, 0",
    "40, 3, 40, 0",
    "0, 32, 32, 32",
    "0, 33, 32, 32",
  })
  void moreThanThirtyTwoParentsCutOnlyOurs(int foreign, int ours, int total, int kept) {
    var listeners = new ArrayList<String>();
    var parentRefs = new StringBuilder();
    for (int i = 0; i < ours; i++) {
      listeners.add("name: l" + i + ", port: " + (1000 + i) + ", protocol: TCP");
      parentRefs.append("  - {name: db, sectionName: l").append(i).append("}\n");
    }
    var entries = new ArrayList<String>();
    for (int i = 0; i < foreign; i++) {
      entries.add(FOREIGN_ENTRY.replace("theirs", "g" + i));
    }
    var world = World.of(CLASS, SERVICE, gateway(listeners.toArray(new String[0])));
    world.apply(
        withParents(
            "kind: TCPRoute\nmetadata: {name: postgres}\nspec:\n  parentRefs:\n"
                + parentRefs
                + "  rules: [{backendRefs: [{name: postgres, port: 5432}]}]\n",
            entries.toArray(new String[0])));
    world.settle();

    JsonNode parents = parents(world);
    assertThat(parents).hasSize(total);
    for (int i = 0; i < foreign; i++) {
      assertThat(parents.get(i)).hasToString(json(entries.get(i)));
    }
    if (kept < ours && kept > 0) {
      assertThat(
              World.condition(parents.get(total - 1).path("conditions"), "penstock.dev/Aggregated"))
          .isEqualTo("True/TooManyParents");
    }
  }

  @Test
  void aRouteThatIsBeingDeletedIsNotServed() {
    var world =
        World.of(
            CLASS,
            GATEWAY,
            SERVICE,
            ROUTE.replace(
                "name: postgres}", "name: postgres, deletionTimestamp: \"2026-03-01T11:00:00Z\"}"));

    assertThat(world.look().tunnels().getFirst().routes()).isEmpty();
    assertThat(world.look().statuses())
        .extracting(StatusWrite::ref)
        .noneMatch(ref -> ref.kind() == Kind.TCP_ROUTE);
  }

  private static String resolved(World world) {
    return world.routeCondition(Kind.TCP_ROUTE, "default", "postgres", "ResolvedRefs");
  }

  private static JsonNode parents(World world) {
    return world.get(Kind.TCP_ROUTE, "default", "postgres").at("/status/parents");
  }

  private static String farService() {
    return """
    kind: Service
    metadata: {name: far, namespace: other}
    spec: {clusterIP: 10.0.0.8, ports: [{port: 5432}]}
    """;
  }

  private static String farRoute() {
    return routeTo("name: far, namespace: other, port: 5432");
  }

  private static String grant(String name, String namespace, String from, String to) {
    String withGroups = from.replace("{kind", "{group: gateway.networking.k8s.io, kind");
    String target = to.contains("group:") ? to : to.replace("{kind", "{group: '', kind");
    return """
    kind: ReferenceGrant
    metadata: {name: %s, namespace: %s}
    spec: {from: [%s], to: [%s]}
    """
        .formatted(name, namespace, withGroups, target);
  }

  private static String withParents(String route, String... entries) {
    return route + "status: {parents: [" + String.join(",", entries) + "]}\n";
  }

  private static String json(String entry) {
    try {
      return new ObjectMapper().readTree(entry).toString();
    } catch (JsonProcessingException e) {
      throw new AssertionError(e);
    }
  }
}
