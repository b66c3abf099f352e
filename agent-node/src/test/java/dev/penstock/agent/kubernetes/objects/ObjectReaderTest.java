package dev.penstock.agent.kubernetes.objects;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import dev.penstock.agent.kubernetes.objects.EndpointSlice.Readiness;
import dev.penstock.agent.kubernetes.objects.ObjectReader.Read;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class ObjectReaderTest {
  private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory());

  @ParameterizedTest(name = "{0} {1}: {2}")
  @CsvSource(
      delimiter = '|',
      value = {
        "GATEWAY | []                                                        | object: [] (expected: an object)",
        "GATEWAY | {}                                                        | metadata.name: nothing (expected: a text that is not empty)",
        "GATEWAY | {metadata: [1]}                                           | metadata: [1] (expected: an object)",
        "GATEWAY | {metadata: {name: 7}}                                     | metadata.name: 7 (expected: a text)",
        "GATEWAY | {metadata: {name: g}}                                     | spec.gatewayClassName: nothing (expected: a text that is not empty)",
        "GATEWAY | {metadata: {name: g, generation: many}}                   | metadata.generation: \"many\" (expected: a whole number from 0 to 9223372036854775807)",
        "GATEWAY | {metadata: {name: g, creationTimestamp: yesterday}}       | metadata.creationTimestamp: \"yesterday\" (expected: a time such as 2026-01-31T12:00:00Z)",
        "GATEWAY | {metadata: {name: g, labels: {a: 1}}}                     | metadata.labels.a: 1 (expected: a text)",
        "GATEWAY | {metadata: {name: g, finalizers: [1]}}                    | metadata.finalizers[0]: 1 (expected: a text)",
        "GATEWAY | {metadata: {name: g}, spec: {gatewayClassName: c, listeners: {}}}         | spec.listeners: {} (expected: a list)",
        "GATEWAY | {metadata: {name: g}, spec: {gatewayClassName: c, listeners: [x]}}        | spec.listeners[0]: \"x\" (expected: an object)",
        "GATEWAY | {metadata: {name: g}, spec: {gatewayClassName: c, listeners: [{name: l, protocol: TCP, port: 1.5}]}} | spec.listeners[0].port: 1.5 (expected: a whole number from -2147483648 to 2147483647)",
        "GATEWAY | {metadata: {name: g}, spec: {gatewayClassName: c, listeners: [{name: l, port: 1}]}} | spec.listeners[0].protocol: nothing (expected: a text that is not empty)",
        "GATEWAY_CLASS | {metadata: {name: c}, spec: {}}                     | spec.controllerName: nothing (expected: a text that is not empty)",
        "GATEWAY_CLASS | {metadata: {name: c}, spec: {controllerName: a, parametersRef: {kind: X}}} | spec.parametersRef.name: nothing (expected: a text that is not empty)",
        "TCP_ROUTE | {metadata: {name: r}, spec: {parentRefs: [{}]}}         | spec.parentRefs[0].name: nothing (expected: a text that is not empty)",
        "TCP_ROUTE | {metadata: {name: r}, spec: {rules: [{backendRefs: [{name: s, weight: -1}]}]}}      | spec.rules[0].backendRefs[0].weight: -1 (expected: a whole number from 0 to 1000000)",
        "TCP_ROUTE | {metadata: {name: r}, spec: {rules: [{backendRefs: [{name: s, weight: 1000001}]}]}} | spec.rules[0].backendRefs[0].weight: 1000001 (expected: a whole number from 0 to 1000000)",
        "UDP_ROUTE | {metadata: {name: r}, spec: {rules: [[]]}}              | spec.rules[0]: [] (expected: an object)",
        "REFERENCE_GRANT | {metadata: {name: g}, spec: {from: [{kind: A}]}}  | spec.from[0].namespace: nothing (expected: a text that is not empty)",
        "SERVICE | {metadata: {name: s}, spec: {ports: [{port: '1'}]}}       | spec.ports[0].port: \"1\" (expected: a whole number from -2147483648 to 2147483647)",
        "SERVICE | {metadata: {name: s}, spec: {publishNotReadyAddresses: 1}} | spec.publishNotReadyAddresses: 1 (expected: true or false)",
        "ENDPOINT_SLICE | {metadata: {name: e}}                              | addressType: nothing (expected: a text that is not empty)",
        "ENDPOINT_SLICE | {metadata: {name: e}, addressType: IPv4, endpoints: [{addresses: 10.0.0.1}]} | endpoints[0].addresses: \"10.0.0.1\" (expected: a list)",
        "TUNNEL_GATEWAY_PARAMETERS | {metadata: {name: p}, spec: {portPolicy: Any}} | spec.portPolicy: \"Any\" (expected: Exact or Allocate)",
        "TUNNEL_GATEWAY_PARAMETERS | {metadata: {name: p}, spec: {backendMode: X}}  | spec.backendMode: \"X\" (expected: Direct or ClusterIP)",
        "TUNNEL_GATEWAY_PARAMETERS | {metadata: {name: p}, spec: {proxyProtocol: v2}} | spec.proxyProtocol: \"v2\" (expected: None, V1 or V2)",
      })
  void anObjectThatMakesNoSenseIsToldByItsField(Kind kind, String yaml, String problem) {
    assertThat(ObjectReader.read(kind, json(yaml)))
        .isInstanceOfSatisfying(
            Read.Unreadable.class, bad -> assertThat(bad.problem()).isEqualTo(problem));
  }

  @Test
  void whatCannotBeReadIsStillKnownByName() {
    var read =
        ObjectReader.read(
            Kind.GATEWAY, json("{metadata: {name: g, namespace: n, uid: u}, spec: 7}"));

    assertThat(read)
        .isEqualTo(
            new Read.Unreadable(
                new ObjectRef(Kind.GATEWAY, "n", "g"), "u", "spec: 7 (expected: an object)"));
  }

  @Test
  void aLongValueIsCutInAnError() {
    var read = ObjectReader.read(Kind.GATEWAY, JsonNodeFactory.instance.textNode("x".repeat(9999)));

    assertThat(read)
        .isInstanceOfSatisfying(
            Read.Unreadable.class, bad -> assertThat(bad.problem()).hasSizeLessThan(120));
  }

  @Test
  void aListOfAbsurdLengthIsRefused() {
    var object = json("{metadata: {name: g}, spec: {gatewayClassName: c, listeners: []}}");
    for (int i = 0; i < 5000; i++) {
      ((ArrayNode) object.at("/spec/listeners")).addObject();
    }

    assertThat(ObjectReader.read(Kind.GATEWAY, object))
        .isInstanceOfSatisfying(
            Read.Unreadable.class,
            bad ->
                assertThat(bad.problem())
                    .isEqualTo("spec.listeners: 5000 entries (expected: at most 4096)"));
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void nullCountsAsAbsent(Kind kind) {
    String yaml =
        switch (kind) {
          case GATEWAY -> "{gatewayClassName: c, listeners: null, infrastructure: null}";
          case GATEWAY_CLASS -> "{controllerName: c, parametersRef: null}";
          default -> "null";
        };

    assertThat(
            ObjectReader.read(
                kind,
                json(
                    "{addressType: IPv4, endpoints: null, metadata: {name: x, labels: null}, status: null, spec: "
                        + yaml
                        + "}")))
        .isInstanceOf(Read.Good.class);
  }

  @Test
  void theDefaultsOfAParentReferenceAreThoseOfTheApi() {
    ParentRef parent = route("{parentRefs: [{name: g}]}").parents().getFirst();

    assertThat(parent.isGateway()).isTrue();
    assertThat(parent.gateway("apps")).isEqualTo(new ObjectRef(Kind.GATEWAY, "apps", "g"));
    assertThat(parent.port()).isEmpty();
  }

  @Test
  void theDefaultsOfABackendAreThoseOfTheApi() {
    BackendRef backend =
        route("{rules: [{backendRefs: [{name: s}]}]}").rules().getFirst().backends().getFirst();

    assertThat(backend.isService()).isTrue();
    assertThat(backend.weight()).isEqualTo(1);
    assertThat(backend.namespace()).isEmpty();
  }

  @Test
  void featuresOfAnOlderApiAreTexts() {
    var read =
        good(
            Kind.GATEWAY_CLASS,
            "{metadata: {name: c}, spec: {controllerName: c}, status: {supportedFeatures: [A, B]}}",
            GatewayClass.class);

    assertThat(read.supportedFeatures()).containsExactly("A", "B");
  }

  @Test
  void timesAndDeletionAreRead() {
    var read =
        good(
            Kind.NAMESPACE,
            "{metadata: {name: n, creationTimestamp: '2026-01-02T03:04:05+01:00', deletionTimestamp: '2026-01-02T03:04:05Z'}}",
            Namespace.class);

    assertThat(read.meta().created()).isEqualTo(Instant.parse("2026-01-02T02:04:05Z"));
    assertThat(read.meta().isDeleting()).isTrue();
  }

  @ParameterizedTest(name = "{0}: {1}")
  @CsvSource(
      delimiter = '|',
      value = {
        "{}                                                  | READY",
        "{ready: null}                                       | READY",
        "{ready: true}                                       | READY",
        "{ready: false}                                      | NOT_READY",
        "{ready: false, serving: true}                       | NOT_READY",
        "{ready: false, serving: true, terminating: true}    | SERVING_WHILE_TERMINATING",
        "{ready: false, serving: false, terminating: true}   | NOT_READY",
        "{ready: true, serving: true, terminating: true}     | SERVING_WHILE_TERMINATING",
        "{terminating: true}                                 | SERVING_WHILE_TERMINATING",
        "{ready: false, terminating: true}                   | NOT_READY",
      })
  void theReadinessOfAnEndpointIsThatOfItsConditions(String conditions, Readiness expected) {
    var slice =
        good(
            Kind.ENDPOINT_SLICE,
            "{metadata: {name: e}, addressType: IPv4, endpoints: [{addresses: [10.0.0.1], conditions: "
                + conditions
                + "}]}",
            EndpointSlice.class);

    assertThat(slice.endpoints().getFirst().readiness()).isEqualTo(expected);
  }

  @ParameterizedTest(name = "{0}: {1}")
  @CsvSource(
      delimiter = '|',
      value = {
        "{clusterIP: None}                                | ",
        "{clusterIP: 10.0.0.1}                            | 10.0.0.1",
        "{clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, 'fd00::1']} | 10.0.0.1 fd00::1",
        "{clusterIP: ''}                                  | ",
        "{}                                               | ",
      })
  void aHeadlessServiceHasNoAddress(String spec, String expected) {
    assertThat(service(spec).clusterIps())
        .isEqualTo(expected == null ? List.of() : List.of(expected.split(" ", -1)));
  }

  @Test
  void whatAServiceWishesOfItsTrafficIsRead() {
    var service =
        service(
            "{sessionAffinity: ClientIP, internalTrafficPolicy: Local, trafficDistribution: PreferSameZone,"
                + " publishNotReadyAddresses: true}");

    assertThat(service.affinity()).contains(Duration.ofHours(3));
    assertThat(service.traffic()).isEqualTo(Service.InternalTraffic.LOCAL);
    assertThat(service.distribution()).isEqualTo(Service.Distribution.SAME_ZONE);
    assertThat(service.notReady()).isEqualTo(Service.NotReady.PUBLISHED);
  }

  @Test
  void whatAServiceDoesNotSayHasTheDefaultsOfTheApi() {
    var service = service("{trafficDistribution: Later}");

    assertThat(service.type()).isEqualTo("ClusterIP");
    assertThat(service.affinity()).isEmpty();
    assertThat(service.traffic()).isEqualTo(Service.InternalTraffic.CLUSTER);
    assertThat(service.distribution()).isEqualTo(Service.Distribution.UNSPECIFIED);
    assertThat(service.notReady()).isEqualTo(Service.NotReady.LEFT_OUT);
  }

  private static Service service(String spec) {
    return good(Kind.SERVICE, "{metadata: {name: s}, spec: " + spec + "}", Service.class);
  }

  private static Route route(String spec) {
    return good(Kind.TCP_ROUTE, "{metadata: {name: r}, spec: " + spec + "}", Route.class);
  }

  private static <T> T good(Kind kind, String yaml, Class<T> type) {
    return switch (ObjectReader.read(kind, json(yaml))) {
      case Read.Good(var object) -> type.cast(object);
      case Read.Unreadable(_, _, var problem) -> throw new AssertionError(problem);
    };
  }

  private static JsonNode json(String yaml) {
    try {
      return YAML.readTree(yaml);
    } catch (JsonProcessingException e) {
      throw new AssertionError(yaml, e);
    }
  }
}
