package dev.penstock.agent.observe;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.Locale;

/// What an agent does in a Kubernetes cluster; all zero outside of one. Safe for use by several
/// threads.
public final class KubernetesMeters {
  private static final double[] SECONDS = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5
  };

  private final Gauge watches;
  private final Gauge watchesBroken;
  private final Histogram looks;
  private final Counter faults;
  private final Gauge noticesLeftOut;
  private final Counter writes;
  private final Gauge writesWaiting;
  private final Gauge leader;

  /// What became of a write.
  public enum Outcome {
    DONE,
    /// The object is another by now: it is looked at again.
    CONFLICT,
    /// There is no such object any more.
    GONE,
    FORBIDDEN,
    /// The server has too much to do: all writes wait for a while.
    THROTTLED,
    FAILED,
    /// This agent does not write any more.
    GIVEN_UP
  }

  KubernetesMeters(PrometheusRegistry registry) {
    watches =
        Gauge.builder()
            .name("penstock_agent_kubernetes_watches")
            .help("Watches of objects that the agent wants.")
            .register(registry);
    watchesBroken =
        Gauge.builder()
            .name("penstock_agent_kubernetes_watches_broken")
            .help("Those of them that tell nothing now.")
            .register(registry);
    looks =
        Histogram.builder()
            .name("penstock_agent_kubernetes_look_seconds")
            .help("How long it took to find out what follows from a change of the cluster.")
            .classicOnly()
            .classicUpperBounds(SECONDS)
            .register(registry);
    faults =
        Counter.builder()
            .name("penstock_agent_kubernetes_look_faults_total")
            .help("Looks at the cluster that ended by a fault of the agent.")
            .register(registry);
    noticesLeftOut =
        Gauge.builder()
            .name("penstock_agent_kubernetes_notices_left_out")
            .help(
                "What users should be told by Events and are not, because there is too much of it.")
            .register(registry);
    writes =
        Counter.builder()
            .name("penstock_agent_kubernetes_writes_total")
            .help("Writes to the API server, by what became of them.")
            .labelNames("outcome")
            .register(registry);
    for (Outcome outcome : Outcome.values()) {
      writes.initLabelValues(label(outcome));
    }
    writesWaiting =
        Gauge.builder()
            .name("penstock_agent_kubernetes_writes_waiting")
            .help("Writes to the API server that wait for their turn.")
            .register(registry);
    leader =
        Gauge.builder()
            .name("penstock_agent_kubernetes_leader")
            .help("1 while this agent registers tunnels and writes to the API server.")
            .register(registry);
  }

  /// So many watches are wanted, and so many tell what happens.
  public void watching(int wanted, int running) {
    watches.set((double) wanted);
    watchesBroken.set((double) wanted - running);
  }

  public void looked(long nanos) {
    looks.observe(nanos / 1e9);
  }

  public void lookFailed() {
    faults.inc();
  }

  /// So many notices of the last look were one too many.
  public void noticesLeftOut(int count) {
    noticesLeftOut.set((double) count);
  }

  public void written(Outcome outcome) {
    writes.labelValues(label(outcome)).inc();
  }

  public void waiting(int count) {
    writesWaiting.set((double) count);
  }

  /// This agent writes from now on.
  public void elected() {
    leader.set(1);
  }

  /// Another one does, or nobody.
  public void notElected() {
    leader.set(0);
  }

  private static String label(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
