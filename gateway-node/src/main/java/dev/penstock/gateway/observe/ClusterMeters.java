package dev.penstock.gateway.observe;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.Map;
import java.util.function.Supplier;

/// The meters of a node of a cluster; a gateway alone has none of them. Safe for use by several
/// threads.
public final class ClusterMeters {
  private final Counter joinsRefused;
  private final Counter unreachable;
  private final Gauge untold;
  private final Counter rejected;

  /// @param nodes how many nodes are in which state, by the state's name in lower case; asked at
  ///   every scrape
  public ClusterMeters(PrometheusRegistry registry, Supplier<Map<String, Integer>> nodes) {
    GaugeWithCallback.builder()
        .name("penstock_gateway_cluster_nodes")
        .help("Nodes of the cluster as this one sees them, itself among them, by state.")
        .labelNames("state")
        .callback(callback -> nodes.get().forEach((state, count) -> callback.call(count, state)))
        .register(registry);
    unreachable =
        Counter.builder()
            .name("penstock_gateway_cluster_unreachable_total")
            .help("Times that a node was no longer heard from.")
            .register(registry);
    joinsRefused =
        Counter.builder()
            .name("penstock_gateway_cluster_joins_refused_total")
            .help("Nodes that asked this one to let them join and are not of its cluster.")
            .register(registry);
    rejected =
        Counter.builder()
            .name("penstock_gateway_cluster_rejected_total")
            .help("What peers of the port for control messages did that was refused, by reason.")
            .labelNames("reason")
            .register(registry);
    untold =
        Gauge.builder()
            .name("penstock_gateway_cluster_untold_clusters")
            .help("Agents' clusters whose links here the other nodes are not told of: too many.")
            .register(registry);
  }

  public void becameUnreachable() {
    unreachable.inc();
  }

  public void joinRefused() {
    joinsRefused.inc();
  }

  public void rejected(ControlRejection why) {
    rejected.labelValues(why.label()).inc();
  }

  /// Tells that a bound is met.
  ///
  /// @param clusters that the others are not told of now
  public void untold(int clusters) {
    untold.set(clusters);
  }
}
