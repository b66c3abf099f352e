package dev.penstock.agent.kubernetes.backends;

import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import dev.penstock.access.Cidr;
import dev.penstock.agent.kubernetes.discovery.Backend;
import dev.penstock.agent.kubernetes.discovery.DesiredTunnel;
import dev.penstock.agent.kubernetes.discovery.TunnelKey;
import dev.penstock.agent.kubernetes.objects.EndpointSlice;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectReader;
import dev.penstock.agent.kubernetes.objects.ObjectReader.Read;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.Service;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.Dialling;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.PortPolicy;
import dev.penstock.protocol.Seeds;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.RoutingMode;
import dev.penstock.protocol.net.ProxyHeader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class BackendChooserTest {
  private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory());
  private static final ObjectRef SERVICE = new ObjectRef(Kind.SERVICE, "default", "db");
  private static final Place HERE = new Place("node-a", "zone-1");

  private static final String PLAIN =
      """
      kind: Service
      metadata: {name: db}
      spec: {clusterIPs: [10.0.0.7], ipFamilies: [IPv4], ports: [{name: sql, port: 5432}]}
      """;

  /// Objects and a place, from which connections are made.
  private static final class Cluster implements BackendsView {
    private final Map<ObjectRef, Service> services = new HashMap<>();
    private final Map<ObjectRef, List<EndpointSlice>> slices = new HashMap<>();
    private Place place = HERE;
    private Dialling dialling = Dialling.ENDPOINTS;
    private Protocol protocol = Protocol.TCP;
    private List<Cidr> allowed = List.of();
    private List<Backend> backends = List.of(to(1));

    static Cluster of(String... yaml) {
      var cluster = new Cluster();
      for (String document : yaml) {
        cluster.apply(document);
      }
      return cluster;
    }

    private void apply(String yaml) {
      try (MappingIterator<JsonNode> each = YAML.readerFor(JsonNode.class).readValues(yaml)) {
        while (each.hasNext()) {
          JsonNode json = each.next();
          boolean isService = json.path("kind").asText().equals("Service");
          switch (ObjectReader.read(isService ? Kind.SERVICE : Kind.ENDPOINT_SLICE, json)) {
            case Read.Good(Service service) ->
                services.put(
                    new ObjectRef(Kind.SERVICE, "default", service.meta().name()), service);
            case Read.Good(EndpointSlice slice) ->
                slices
                    .computeIfAbsent(
                        new ObjectRef(Kind.SERVICE, "default", slice.service()),
                        _ -> new ArrayList<>())
                    .add(slice);
            case Read.Good good -> throw new AssertionError(good);
            case Read.Unreadable(_, _, var problem) -> throw new AssertionError(problem);
          }
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public Optional<Service> service(ObjectRef service) {
      return Optional.ofNullable(services.get(service));
    }

    @Override
    public List<EndpointSlice> slices(ObjectRef service) {
      return slices.getOrDefault(service, List.of());
    }

    Choice connect(long seed, Optional<InetAddress> client) {
      var tunnel =
          new DesiredTunnel(
              new TunnelKey("lab", protocol, new ObjectRef(Kind.GATEWAY, "default", "g"), "l"),
              5432,
              PortPolicy.ALLOCATE,
              RoutingMode.TUNNEL,
              Optional.empty(),
              List.of(),
              backends,
              dialling,
              ProxyHeader.NONE,
              Optional.empty(),
              Map.of());
      return new BackendChooser(place, allowed).choose(tunnel, this, client, Seeds.random(seed));
    }

    /// The addresses of one connection in the order in which they are tried, or why it is refused.
    String connect(long seed) {
      return words(connect(seed, Optional.empty()));
    }

    /// The addresses that are tried first, over many connections.
    String reached() {
      var reached = new TreeSet<String>();
      for (int i = 0; i < 100; i++) {
        reached.add(connect(i).split(" then ", -1)[0]);
      }
      return String.join(" ", reached);
    }
  }

  private static String words(Choice choice) {
    return switch (choice) {
      case Choice.Refuse(var why) -> "refused: " + why;
      case Choice.Dial(var candidates) ->
          candidates.stream()
              .map(one -> one.getAddress().getHostAddress() + ":" + one.getPort())
              .collect(joining(" then "));
    };
  }

  private static Backend to(int weight) {
    return new Backend.ToService(weight, SERVICE, "sql", 5432);
  }

  /// A slice of the Service `db` with the port `sql` and these endpoints, in the flow style of
  /// YAML.
  private static String slice(String name, int port, String... endpoints) {
    return slice(name, "IPv4", "{name: sql, port: " + port + "}", endpoints);
  }

  private static String slice(String name, String type, String ports, String... endpoints) {
    return """
    kind: EndpointSlice
    metadata: {name: %s, labels: {kubernetes.io/service-name: db}}
    addressType: %s
    ports: [%s]
    endpoints: [%s]
    """
        .formatted(name, type, ports, String.join(", ", endpoints));
  }

  private static String at(String address) {
    return "{addresses: ['" + address + "']}";
  }

  private static String at(String address, String more) {
    return "{addresses: ['" + address + "'], " + more + "}";
  }

  private static String spec(String more) {
    return PLAIN.replace("ipFamilies: [IPv4]", "ipFamilies: [IPv4], " + more);
  }

  @Test
  void aConnectionGoesToAnEndpointAtItsTargetPort() {
    assertThat(Cluster.of(PLAIN, slice("a", 15432, at("10.1.0.1"))).connect(0))
        .isEqualTo("10.1.0.1:15432");
  }

  @Test
  void everySliceHasATargetPortOfItsOwn() {
    assertThat(
            Cluster.of(PLAIN, slice("a", 15432, at("10.1.0.1")), slice("b", 25432, at("10.1.0.2")))
                .reached())
        .isEqualTo("10.1.0.1:15432 10.1.0.2:25432");
  }

  @ParameterizedTest(name = "ports {0}: {1}")
  @CsvSource(
      delimiter = '|',
      value = {
        "'{name: sql, port: 1}, {name: web, port: 2}' | 10.1.0.1:1",
        "'{name: web, port: 2}'                       | refused: Service default/db: it has no endpoints for this port",
        "'{name: sql, port: 1, protocol: UDP}'        | refused: Service default/db: it has no endpoints for this port",
        "'{name: sql, port: 1, protocol: UDP}, {name: sql, port: 3}' | 10.1.0.1:3",
        "'{name: sql}'                                | refused: Service default/db: it has no endpoints for this port",
        "'{name: sql, port: 0}'                       | refused: Service default/db: it has no endpoints for this port",
        "'{name: sql, port: 70000}'                   | refused: Service default/db: it has no endpoints for this port",
      })
  void theTargetPortIsFoundByNameAndProtocol(String ports, String expected) {
    assertThat(Cluster.of(PLAIN, slice("a", "IPv4", ports, at("10.1.0.1"))).connect(0))
        .isEqualTo(expected);
  }

  @Test
  void datagramsGoToAnEndpointOfTheirProtocol() {
    var cluster =
        Cluster.of(
            PLAIN,
            slice(
                "a",
                "IPv4",
                "{name: sql, port: 1}, {name: sql, port: 2, protocol: UDP}",
                at("10.1.0.1")));
    cluster.protocol = Protocol.UDP;

    assertThat(cluster.connect(0)).isEqualTo("10.1.0.1:2");
  }

  @Test
  void anEndpointInTwoSlicesCountsOnce() {
    var cluster =
        Cluster.of(
            PLAIN, slice("a", 1, at("10.1.0.1"), at("10.1.0.2")), slice("b", 1, at("10.1.0.1")));

    assertThat(cluster.connect(0).split(" then ", -1)).hasSize(2);
  }

  @Test
  void anEndpointThatIsReadyInOneOfTwoSlicesIsReady() {
    assertThat(
            Cluster.of(
                    PLAIN,
                    slice("a", 1, at("10.1.0.1", "conditions: {ready: false}")),
                    slice("b", 1, at("10.1.0.1")))
                .connect(0))
        .isEqualTo("10.1.0.1:1");
  }

  @ParameterizedTest(name = "{0} and {1}: {2}")
  @CsvSource(
      delimiter = '|',
      value = {
        "{}             | {}                                               | 10.1.0.1:1 10.1.0.2:1",
        "{ready: true}  | {ready: false}                                   | 10.1.0.1:1",
        "{ready: true}  | {ready: false, serving: true, terminating: true} | 10.1.0.1:1",
        "{ready: false} | {ready: false, serving: true, terminating: true} | 10.1.0.2:1",
        "{ready: false} | {ready: false}                                   | refused: Service default/db: none of 2 endpoints is ready",
      })
  void onlyReadyEndpointsAreUsedAndDyingOnesAsALastResort(
      String one, String other, String reached) {
    assertThat(
            Cluster.of(
                    PLAIN,
                    slice(
                        "a",
                        1,
                        at("10.1.0.1", "conditions: " + one),
                        at("10.1.0.2", "conditions: " + other)))
                .reached())
        .isEqualTo(reached);
  }

  @Test
  void aServiceMayPublishWhatIsNotReady() {
    assertThat(
            Cluster.of(
                    spec("publishNotReadyAddresses: true"),
                    slice("a", 1, at("10.1.0.1", "conditions: {ready: false}")))
                .connect(0))
        .isEqualTo("10.1.0.1:1");
  }

  @ParameterizedTest(name = "families {0}: {1}")
  @CsvSource(
      delimiter = '|',
      value = {
        "[IPv4]       | 10.1.0.1:1 then fd00:0:0:0:0:0:0:1:1",
        "[IPv6]       | fd00:0:0:0:0:0:0:1:1 then 10.1.0.1:1",
        "[IPv6, IPv4] | fd00:0:0:0:0:0:0:1:1 then 10.1.0.1:1",
        "[]           | 10.1.0.1:1 then fd00:0:0:0:0:0:0:1:1",
      })
  void theServicesFirstFamilyIsTriedFirst(String families, String expected) {
    assertThat(
            Cluster.of(
                    PLAIN.replace("[IPv4]", families),
                    slice("a", 1, at("10.1.0.1")),
                    slice("b", "IPv6", "{name: sql, port: 1}", at("fd00::1")))
                .connect(0))
        .isEqualTo(expected);
  }

  @Test
  void withoutEndpointsOfTheFirstFamilyTheOtherWillDo() {
    assertThat(
            Cluster.of(PLAIN, slice("b", "IPv6", "{name: sql, port: 1}", at("fd00::1"))).connect(0))
        .isEqualTo("fd00:0:0:0:0:0:0:1:1");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "169.254.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "localhost",
        "example.com",
        "10.1.0",
        "10.1.0.1/32",
        "",
        "0x7f000001",
        "2130706433",
      })
  void anAddressThatMustNotBeDialledIsRefused(String address) {
    assertThat(Cluster.of(PLAIN, slice("a", 1, at(address))).connect(0))
        .isEqualTo("refused: Service default/db: 1 addresses must not be dialled");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "::1",
        "::",
        "fe80::1",
        "ff02::1",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
      })
  void soIsOneOfTheOtherFamily(String address) {
    assertThat(
            Cluster.of(PLAIN, slice("a", "IPv6", "{name: sql, port: 1}", at(address))).connect(0))
        .isEqualTo("refused: Service default/db: 1 addresses must not be dialled");
  }

  @Test
  void whatTheSettingsAllowIsDialled() {
    var cluster = Cluster.of(PLAIN, slice("a", 1, at("127.0.0.1"), at("127.0.1.1")));
    cluster.allowed = List.of(Cidr.parse("127.0.0.0/24").orElseThrow());

    assertThat(cluster.connect(0)).isEqualTo("127.0.0.1:1");
  }

  @Test
  void namesAreNoAddresses() {
    assertThat(
            Cluster.of(PLAIN, slice("a", "FQDN", "{name: sql, port: 1}", at("example.com")))
                .connect(0))
        .isEqualTo("refused: Service default/db: it has no endpoints for this port");
  }

  @Test
  void anEndpointWithoutAddressesSpoilsNoOther() {
    assertThat(Cluster.of(PLAIN, slice("a", 1, "{addresses: []}", at("10.1.0.1"))).connect(0))
        .isEqualTo("10.1.0.1:1");
  }

  @Test
  void aServiceThatIsGoneIsRefused() {
    assertThat(Cluster.of(slice("a", 1, at("10.1.0.1"))).connect(0))
        .isEqualTo("refused: Service default/db is not there");
  }

  private static final String FAR = at("10.1.0.3", "nodeName: node-c, zone: zone-2");
  private static final String IN_ZONE = at("10.1.0.2", "nodeName: node-b, zone: zone-1");
  private static final String ON_NODE = at("10.1.0.1", "nodeName: node-a, zone: zone-1");

  @ParameterizedTest(name = "{0} at {1}/{2}: {3}")
  @CsvSource(
      delimiter = '|',
      value = {
        "''                                    | node-a | zone-1 | 10.1.0.1:1",
        "''                                    | node-x | zone-1 | 10.1.0.1:1 10.1.0.2:1",
        "''                                    | node-x | zone-2 | 10.1.0.3:1",
        "''                                    | node-x | zone-9 | 10.1.0.1:1 10.1.0.2:1 10.1.0.3:1",
        "''                                    | ''     | ''     | 10.1.0.1:1 10.1.0.2:1 10.1.0.3:1",
        "'trafficDistribution: PreferSameNode' | node-b | zone-1 | 10.1.0.2:1",
        "'trafficDistribution: PreferSameZone' | node-a | zone-1 | 10.1.0.1:1 10.1.0.2:1",
        "'trafficDistribution: PreferClose'    | node-a | zone-1 | 10.1.0.1:1 10.1.0.2:1",
        "'trafficDistribution: PreferSameZone' | node-a | zone-9 | 10.1.0.1:1 10.1.0.2:1 10.1.0.3:1",
        "'internalTrafficPolicy: Local'        | node-c | zone-1 | 10.1.0.3:1",
        "'internalTrafficPolicy: Local'        | node-x | zone-1 | refused: Service default/db: it has no endpoint on this node (internalTrafficPolicy: Local)",
        "'internalTrafficPolicy: Local'        | ''     | zone-1 | refused: Service default/db: it has no endpoint on this node (internalTrafficPolicy: Local)",
      })
  void nearEndpointsComeFirst(String spec, String node, String zone, String reached) {
    var cluster =
        Cluster.of(spec.isEmpty() ? PLAIN : spec(spec), slice("a", 1, FAR, IN_ZONE, ON_NODE));
    cluster.place = new Place(node, zone);

    assertThat(cluster.reached()).isEqualTo(reached);
  }

  @Test
  void whenTheNearOnesCannotBeReachedFarOnesAreTried() {
    var cluster = Cluster.of(PLAIN, slice("a", 1, FAR, IN_ZONE, ON_NODE));

    assertThat(cluster.connect(0)).isEqualTo("10.1.0.1:1 then 10.1.0.2:1 then 10.1.0.3:1");
  }

  @Test
  void atMostThreeAreTried() {
    var endpoints = new String[50];
    for (int i = 0; i < endpoints.length; i++) {
      endpoints[i] = at("10.1.0." + (i + 1));
    }

    assertThat(Cluster.of(PLAIN, slice("a", 1, endpoints)).connect(0).split(" then ", -1))
        .hasSize(BackendChooser.MAX_CANDIDATES)
        .doesNotHaveDuplicates();
  }

  @Test
  void hintsOfTheControlPlaneCountWhereEveryEndpointHasOne() {
    String hinted = at("10.1.0.1", "zone: zone-2, hints: {forZones: [{name: zone-1}]}");
    String other = at("10.1.0.2", "zone: zone-1, hints: {forZones: [{name: zone-2}]}");
    assertThat(Cluster.of(PLAIN, slice("a", 1, hinted, other)).reached()).isEqualTo("10.1.0.1:1");

    String without = at("10.1.0.3", "zone: zone-1");
    assertThat(Cluster.of(PLAIN, slice("a", 1, hinted, other, without)).reached())
        .isEqualTo("10.1.0.2:1 10.1.0.3:1");
  }

  @Test
  void hintsForNodesCountToo() {
    String hinted = at("10.1.0.1", "nodeName: node-x, hints: {forNodes: [{name: node-a}]}");
    String other = at("10.1.0.2", "nodeName: node-a, hints: {forNodes: [{name: node-x}]}");

    assertThat(Cluster.of(PLAIN, slice("a", 1, hinted, other)).reached()).isEqualTo("10.1.0.1:1");
  }

  @Test
  void theWeightsAreKeptAndAnInvalidBackendKeepsItsShare() {
    var cluster =
        Cluster.of(
            PLAIN,
            PLAIN.replace("name: db", "name: replica"),
            slice("a", 1, at("10.1.0.1")),
            slice("b", 1, at("10.1.0.2")).replace("service-name: db", "service-name: replica"));
    cluster.backends =
        List.of(
            to(70),
            new Backend.ToService(
                10, new ObjectRef(Kind.SERVICE, "default", "replica"), "sql", 5432),
            new Backend.Invalid(20, "Service default/gone is not there"),
            new Backend.Invalid(0, "never"));
    var counts = new TreeMap<String, Integer>();
    for (int i = 0; i < 5000; i++) {
      counts.merge(cluster.connect(i), 1, Integer::sum);
    }

    assertThat(counts)
        .containsOnlyKeys("10.1.0.1:1", "10.1.0.2:1", "refused: Service default/gone is not there");
    assertThat(counts.get("10.1.0.1:1") / 50.0).isCloseTo(70, within(3.0));
    assertThat(counts.get("10.1.0.2:1") / 50.0).isCloseTo(10, within(3.0));
    assertThat(counts.get("refused: Service default/gone is not there") / 50.0)
        .isCloseTo(20, within(3.0));
  }

  @Test
  void withoutAnyWeightEverybodyIsRefused() {
    var cluster = Cluster.of(PLAIN, slice("a", 1, at("10.1.0.1")));
    cluster.backends = List.of(to(0), to(0));
    assertThat(cluster.connect(0)).isEqualTo("refused: no backend has a weight");

    cluster.backends = List.of();
    assertThat(cluster.connect(0)).isEqualTo("refused: there are no backends");
  }

  @Test
  void theSumOfTheLargestWeightsIsNoProblem() {
    var cluster = Cluster.of(PLAIN, slice("a", 1, at("10.1.0.1")));
    var backends = new ArrayList<Backend>();
    for (int i = 0; i < 4096; i++) {
      backends.add(to(1_000_000));
    }
    cluster.backends = backends;

    assertThat(cluster.reached()).isEqualTo("10.1.0.1:1");
  }

  @ParameterizedTest(name = "{0}: {1}")
  @CsvSource(
      delimiter = '|',
      value = {
        "[10.0.0.7]            | 10.0.0.7:5432",
        "[10.0.0.7, 'fd00::7'] | 10.0.0.7:5432 then fd00:0:0:0:0:0:0:7:5432",
        "[None]                | 10.1.0.1:1",
        "[]                    | 10.1.0.1:1",
        "[127.0.0.1]           | refused: Service default/db: its addresses must not be dialled",
      })
  void bySwitchTheServicesOwnAddressIsDialled(String clusterIps, String expected) {
    var cluster =
        Cluster.of(PLAIN.replace("[10.0.0.7]", clusterIps), slice("a", 1, at("10.1.0.1")));
    cluster.dialling = Dialling.CLUSTER_IP;

    assertThat(cluster.connect(0)).isEqualTo(expected);
  }

  private static LongStream seeds() {
    return Seeds.few();
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void aClientStaysAtItsEndpointWhereverItArrives(long seed) {
    var random = Seeds.random(seed);
    var cluster = Cluster.of(spec("sessionAffinity: ClientIP"), tenEndpoints(10));
    var client = client(random.nextInt());
    String first = words(cluster.connect(random.nextLong(), client));

    cluster.place = new Place("node-" + random.nextInt(), "zone-2");
    assertThat(words(cluster.connect(random.nextLong(), client))).isEqualTo(first);
  }

  @Test
  void whenAnEndpointGoesOnlyItsOwnClientsMove() {
    var all = Cluster.of(spec("sessionAffinity: ClientIP"), tenEndpoints(10));
    var fewer = Cluster.of(spec("sessionAffinity: ClientIP"), tenEndpoints(9));
    var counts = new TreeMap<String, Integer>();
    for (int i = 0; i < 1000; i++) {
      String before = words(all.connect(1, client(i * 7919))).split(" then ", -1)[0];
      String after = words(fewer.connect(2, client(i * 7919))).split(" then ", -1)[0];
      counts.merge(before, 1, Integer::sum);
      if (!before.equals("10.1.0.10:1")) {
        assertThat(after).isEqualTo(before);
      }
    }

    assertThat(counts).hasSize(10);
    assertThat(counts.values()).allMatch(count -> count > 50 && count < 200);
  }

  @Test
  void aClientThatIsNotKnownGoesAnywhere() {
    assertThat(
            Cluster.of(spec("sessionAffinity: ClientIP"), tenEndpoints(10))
                .reached()
                .split(" ", -1))
        .hasSizeGreaterThan(5);
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void theSameChanceGivesTheSameChoice(long seed) {
    var cluster = Cluster.of(PLAIN, tenEndpoints(10));

    assertThat(cluster.connect(seed)).isEqualTo(cluster.connect(seed));
  }

  @Test
  void allThatAreEquallyNearGetTheirShare() {
    var cluster = Cluster.of(PLAIN, tenEndpoints(10));
    var counts = new TreeMap<String, Integer>();
    for (int i = 0; i < 5000; i++) {
      counts.merge(cluster.connect(i).split(" then ", -1)[0], 1, Integer::sum);
    }

    assertThat(counts).hasSize(10);
    assertThat(counts.values()).allMatch(count -> count > 400 && count < 600);
  }

  private static String tenEndpoints(int count) {
    var endpoints = new String[count];
    for (int i = 0; i < count; i++) {
      endpoints[i] = at("10.1.0." + (i + 1));
    }
    return slice("a", 1, endpoints);
  }

  private static Optional<InetAddress> client(int number) {
    return Optional.of(
        InetAddress.ofLiteral(
            "203." + (number >>> 16 & 0xff) + "." + (number >>> 8 & 0xff) + "." + (number & 0xff)));
  }
}
