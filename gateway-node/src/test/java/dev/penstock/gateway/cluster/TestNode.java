package dev.penstock.gateway.cluster;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.penstock.config.HostPort;
import dev.penstock.config.Secret;
import dev.penstock.gateway.GatewayLab;
import dev.penstock.node.NodeSystem;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/// A node of a cluster in this JVM, without a gateway around it. Its links are what a test says.
final class TestNode implements AutoCloseable, LinkSource {
  static final String SECRET = "a secret of the nodes";

  final ClusterSettings settings;
  final PrometheusRegistry registry = new PrometheusRegistry();
  final NodeSystem system;
  final ClusterNode node;
  private final Map<String, LinkLoad> links = new ConcurrentHashMap<>();

  /// @param build what another build of the program would have in its own configuration
  /// @param pulses what this node sees of the database
  private TestNode(ClusterSettings settings, Config build, PulseStore pulses) throws IOException {
    this.settings = settings;
    system = NodeSystem.start("gateway", 1, List.of(build, ClusterNode.config(settings)));
    node =
        ClusterNode.start(
            system.actors(),
            system.loops(),
            settings,
            URI.create("ws://" + settings.listen()),
            this,
            pulses,
            registry);
  }

  /// Settings of the node `number` on 127.0.0.1, whose seeds are `seeds`.
  static ClusterSettings settings(HostPort listen, List<HostPort> seeds) {
    return new ClusterSettings(
        "lab",
        listen,
        listen,
        new HostPort("127.0.0.1", freePort()),
        new HostPort("127.0.0.1", freePort()),
        new Seeding.Named(seeds),
        Secret.of(SECRET),
        null,
        SplitBrain.KEEP_MAJORITY,
        Duration.ofSeconds(2),
        Duration.ofSeconds(3),
        Duration.ofSeconds(20),
        "1.0.0");
  }

  static TestNode start(HostPort listen, List<HostPort> seeds) throws IOException {
    return start(listen, seeds, UnaryOperator.identity());
  }

  static TestNode start(
      HostPort listen, List<HostPort> seeds, UnaryOperator<ClusterSettings> changed)
      throws IOException {
    return new TestNode(
        changed.apply(settings(listen, seeds)), ConfigFactory.empty(), new MemoryPulses());
  }

  /// A node that is its own and only seed, so that nothing but the database tells it of others.
  static TestNode alone(HostPort listen, PulseStore pulses) throws IOException {
    return over(pulses, listen, List.of(listen));
  }

  static TestNode over(PulseStore pulses, HostPort listen, List<HostPort> seeds)
      throws IOException {
    return new TestNode(settings(listen, seeds), ConfigFactory.empty(), pulses);
  }

  /// A node of a release that speaks the version `wire` of the nodes' language and no other.
  static TestNode ofRelease(int wire, HostPort listen, List<HostPort> seeds) throws IOException {
    return new TestNode(
        settings(listen, seeds),
        ConfigFactory.parseMap(Map.of(JoinRules.WIRE_MIN, wire, JoinRules.WIRE_MAX, wire)),
        new MemoryPulses());
  }

  /// An address that nobody listens at now.
  static HostPort address() {
    return new HostPort("127.0.0.1", freePort());
  }

  private static int freePort() {
    try {
      return GatewayLab.freePort();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// States of all nodes that this one knows, by address.
  Map<HostPort, NodeState> states() {
    return node.nodes().all().stream()
        .collect(Collectors.toMap(it -> it.id().address(), NodeInfo::state, (_, later) -> later));
  }

  /// Says what links this node has.
  void links(String cluster, int count, int outstanding) {
    links.put(cluster, new LinkLoad(count, outstanding, "uid-of-" + cluster));
    node.linksChanged(cluster);
  }

  @Override
  public Set<String> clusters() {
    return links.keySet();
  }

  @Override
  public LinkLoad load(String cluster) {
    return links.getOrDefault(cluster, LinkLoad.NONE);
  }

  double metric(String name, String label) {
    return registry.scrape(it -> it.equals(name)).stream()
        .flatMap(it -> it.getDataPoints().stream())
        .filter(it ->
            label.isEmpty() || it.getLabels().stream().anyMatch(l -> l.getValue().equals(label)))
        .mapToDouble(it ->
            switch (it) {
              case io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot
                      counter ->
                  counter.getValue();
              case io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot
                      gauge ->
                  gauge.getValue();
              default -> throw new IllegalArgumentException(name);
            })
        .sum();
  }

  @Override
  public void close() {
    node.close();
    system.close();
  }
}
