package dev.penstock.agent.kubernetes.discovery;

import static dev.penstock.agent.kubernetes.discovery.Samples.CLASS;
import static dev.penstock.agent.kubernetes.discovery.Samples.FOREIGN_CLASS;
import static dev.penstock.agent.kubernetes.discovery.Samples.GATEWAY;
import static dev.penstock.agent.kubernetes.discovery.Samples.MARKED;
import static dev.penstock.agent.kubernetes.discovery.Samples.ROUTE;
import static dev.penstock.agent.kubernetes.discovery.Samples.SERVICE;
import static dev.penstock.agent.kubernetes.discovery.Samples.TUNNEL;
import static dev.penstock.agent.kubernetes.discovery.Samples.gateway;
import static dev.penstock.agent.kubernetes.discovery.Samples.routeTo;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.agent.kubernetes.objects.Kind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class TunnelEndpointTest {
  @Test
  void itTellsWhereClientsConnectAndWhatAnswers() {
    var world = served();

    JsonNode endpoint = endpoint(world);
    assertThat(endpoint.path("spec"))
        .hasToString(
            "{\"parent\":{\"group\":\"gateway.networking.k8s.io\",\"kind\":\"Gateway\",\"name\":\"db\"},"
                + "\"listener\":\"pg\",\"listenerPort\":5432,\"protocol\":\"TCP\"}");
    JsonNode status = endpoint.path("status");
    assertThat(status.path("host").asText()).isEqualTo("gw.example.com");
    assertThat(status.path("port").asInt()).isEqualTo(5432);
    assertThat(status.path("mode").asText()).isEqualTo("tunnel");
    assertThat(status.path("route").asText()).isEqualTo("TCPRoute/default/postgres");
    assertThat(status.path("service").asText()).isEqualTo("default/postgres:5432");
    assertThat(status.path("tunnelId").asText()).isEqualTo(TUNNEL);
    assertThat(ready(world)).isEqualTo("True/Ready");
  }

  @Test
  void itBelongsToTheGatewaySoThatItGoesWithIt() {
    JsonNode owner = endpoint(served()).at("/metadata/ownerReferences/0");

    assertThat(owner)
        .hasToString(
            "{\"apiVersion\":\"gateway.networking.k8s.io/v1\",\"kind\":\"Gateway\",\"name\":\"db\","
                + "\"uid\":\"uid-Gateway-default-db\"}");
  }

  @Test
  void itsNameStaysAndTellsWhatItIsOf() {
    String name = endpoint(served()).at("/metadata/name").asText();

    assertThat(name).startsWith("db-pg-").matches("[a-z0-9-]+");
    assertThat(endpoint(served()).at("/metadata/name").asText()).isEqualTo(name);
  }

  @Test
  void aGatewayThatIsMadeAnewHasANewOne() {
    var world = served();
    String before = endpoint(world).at("/metadata/name").asText();

    world.apply(GATEWAY.replace("name: db", "name: db, uid: another")).settle();

    assertThat(endpoint(world).at("/metadata/name").asText()).isNotEqualTo(before);
  }

  @Test
  void longNamesAreCut() {
    String longName = "a".repeat(253);
    var world = World.of(CLASS, GATEWAY.replace("name: db", "name: " + longName)).settle();

    assertThat(endpoint(world).at("/metadata/name").asText().length()).isLessThanOrEqualTo(253);
  }

  @Test
  void itSaysWhyNobodyIsServed() {
    var world = World.of(CLASS, GATEWAY, SERVICE, ROUTE).settle();
    assertThat(ready(world)).isEqualTo("False/Pending");

    world.refused(TUNNEL, Grant.Cause.PORT, "5432 is another's").settle();
    assertThat(ready(world)).isEqualTo("False/PortUnavailable");
    assertThat(endpoint(world).path("status").has("host")).isFalse();

    world.refused(TUNNEL, Grant.Cause.IDENTITY, "another agent has it").settle();
    assertThat(ready(world)).isEqualTo("False/IdentityTaken");

    world.granted(TUNNEL, "gw.example.com:5432").apply(routeTo("name: nope, port: 1")).settle();
    assertThat(ready(world)).isEqualTo("False/NoBackends");

    world.apply(routeTo("name: postgres, port: 5432, weight: 0")).settle();
    assertThat(ready(world)).isEqualTo("False/NoBackends");
  }

  @Test
  void severalServicesAreToldAsTheFirstAndHowManyMore() {
    var world =
        World.of(
                CLASS,
                GATEWAY,
                SERVICE,
                SERVICE.replace("name: postgres", "name: replica"),
                routeTo("name: postgres, port: 5432", "name: replica, port: 5432"))
            .settle();

    assertThat(endpoint(world).at("/status/service").asText())
        .isEqualTo("default/postgres:5432 (and 1 more)");
  }

  @Test
  void aLostLinkIsToldAfterAMinute() {
    var world = served();
    world.link(GatewayLink.State.DOWN, world.now()).later(59).settle();
    assertThat(ready(world)).isEqualTo("True/Ready");

    world.later(1).settle();
    assertThat(ready(world)).isEqualTo("False/NoAgent");
    assertThat(endpoint(world).at("/status/port").asInt()).isEqualTo(5432);
  }

  @Test
  void anAgentThatStartsKeepsWhatIsTold() {
    var world = served();
    world.nothingGranted().link(GatewayLink.State.DOWN, world.now());
    assertThat(World.isQuiet(world.look())).isTrue();

    world.later(60).settle();
    assertThat(ready(world)).isEqualTo("False/Pending");
    assertThat(endpoint(world).at("/status/host").asText()).isEqualTo("gw.example.com");
  }

  @Test
  void inDirectModeItTellsTheOwnersAddress() {
    var world =
        World.of(
                FOREIGN_CLASS,
                SERVICE,
                ROUTE,
                MARKED.replace(
                        "name: db,", "name: db, annotations: {pipeops.io/routing-mode: direct},")
                    + "status: {addresses: [{type: IPAddress, value: 203.0.113.9}]}\n")
            .settle();

    JsonNode status = endpoint(world).path("status");
    assertThat(status.path("host").asText()).isEqualTo("203.0.113.9");
    assertThat(status.path("port").asInt()).isEqualTo(5432);
    assertThat(status.path("mode").asText()).isEqualTo("direct");
    assertThat(ready(world)).isEqualTo("True/Direct");
  }

  @Test
  void inDualModeItTellsBoth() {
    var world =
        World.of(
                FOREIGN_CLASS,
                SERVICE,
                ROUTE,
                MARKED.replace(
                        "name: db,", "name: db, annotations: {pipeops.io/routing-mode: dual},")
                    + "status: {addresses: [{type: IPAddress, value: 203.0.113.9}]}\n")
            .granted(TUNNEL, "gw.example.com:15432")
            .settle();

    JsonNode status = endpoint(world).path("status");
    assertThat(status.path("host").asText()).isEqualTo("gw.example.com");
    assertThat(status.path("directAddresses")).hasToString("[\"203.0.113.9:5432\"]");
    assertThat(status.path("mode").asText()).isEqualTo("dual");
  }

  @Test
  void theEndpointOfAListenerThatIsGoneIsDeleted() {
    var world =
        World.of(
                CLASS,
                gateway(
                    "name: pg, port: 5432, protocol: TCP",
                    "name: redis, port: 6379, protocol: TCP"))
            .settle();
    assertThat(world.all(Kind.TUNNEL_ENDPOINT)).hasSize(2);

    world.apply(GATEWAY).settle();

    assertThat(world.all(Kind.TUNNEL_ENDPOINT)).hasSize(1);
  }

  @Test
  void endpointsOfOthersAreNotTouched() {
    var world = served();
    world
        .apply(
            """
            kind: TunnelEndpoint
            metadata:
              name: theirs
              labels: {app.kubernetes.io/managed-by: penstock, penstock.dev/cluster: other}
            spec: {protocol: TCP}
            ---
            kind: TunnelEndpoint
            metadata: {name: by-hand}
            spec: {protocol: TCP}
            """)
        .settle();

    assertThat(world.all(Kind.TUNNEL_ENDPOINT)).hasSize(3);
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"GATEWAY_CLASS", "GATEWAY", "TCP_ROUTE", "UDP_ROUTE", "SERVICE"})
  void nothingIsDeletedWhileAKindWasNeverRead(Kind kind) {
    var world = served().kindIs(kind, new Availability.Unread("forbidden"));

    assertThat(world.look().endpoints()).noneMatch(EndpointWrite.Delete.class::isInstance);
  }

  @Test
  void withoutTheCustomResourceNothingIsWritten() {
    var world = World.of(CLASS, GATEWAY).kindIs(Kind.TUNNEL_ENDPOINT, new Availability.Absent());

    assertThat(world.look().endpoints()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"spec", "labels"})
  void whatSomebodyChangedIsPutRightAndTheirNotesStay(String what) {
    var world = served();
    var endpoint = (ObjectNode) endpoint(world);
    endpoint.withObject("metadata").withObject("annotations").put("note", "mine");
    if (what.equals("spec")) {
      endpoint.withObject("spec").put("listenerPort", 1);
    } else {
      endpoint.withObject("metadata").withObject("labels").remove("app.kubernetes.io/managed-by");
    }

    world.settle();

    assertThat(endpoint(world).at("/spec/listenerPort").asInt()).isEqualTo(5432);
    assertThat(endpoint(world).at("/metadata/labels").toString()).contains("managed-by");
    assertThat(endpoint(world).at("/metadata/annotations/note").asText()).isEqualTo("mine");
  }

  private static World served() {
    return World.of(CLASS, GATEWAY, SERVICE, ROUTE).granted(TUNNEL, "gw.example.com:5432").settle();
  }

  private static JsonNode endpoint(World world) {
    assertThat(world.all(Kind.TUNNEL_ENDPOINT)).hasSize(1);
    return world.all(Kind.TUNNEL_ENDPOINT).getFirst();
  }

  private static String ready(World world) {
    return World.condition(endpoint(world).at("/status/conditions"), "Ready");
  }
}
