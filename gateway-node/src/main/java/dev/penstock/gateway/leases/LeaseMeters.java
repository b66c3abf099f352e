package dev.penstock.gateway.leases;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// The meters of leases at one node. Labels come from closed sets only. Safe for use by several
/// threads.
public final class LeaseMeters {
  private static final double[] SECONDS = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10
  };

  /// What became of a request for a lease.
  public enum Outcome {
    /// A port was given, or a tunnel without one was written down.
    GRANTED,
    /// The tunnel has what it had.
    KEPT,
    CONFLICT,
    EXHAUSTED,
    OVER_QUOTA,
    /// Nobody knows: the store, or who decides, is away.
    UNAVAILABLE
  }

  private final Gauge held;
  private final Counter requests;
  private final Histogram seconds;
  private final Counter unavailable;
  private final Counter stale;
  private final Map<String, Integer> retained = new ConcurrentHashMap<>();

  public LeaseMeters(PrometheusRegistry registry) {
    held =
        Gauge.builder()
            .name("penstock_gateway_leases")
            .help("Leased public ports that this node knows of, by transport.")
            .labelNames("transport")
            .register(registry);
    requests =
        Counter.builder()
            .name("penstock_gateway_lease_requests_total")
            .help("Requests for leases that this node made for its agents, by outcome.")
            .labelNames("outcome")
            .register(registry);
    seconds =
        Histogram.builder()
            .name("penstock_gateway_lease_seconds")
            .help("From requests for leases, or for their end, until what was decided is stored.")
            .classicOnly()
            .classicUpperBounds(SECONDS)
            .register(registry);
    unavailable =
        Counter.builder()
            .name("penstock_gateway_lease_store_unavailable_total")
            .help("Calls to the leases that came to nothing because their store was away.")
            .register(registry);
    stale =
        Counter.builder()
            .name("penstock_gateway_lease_fencing_conflicts_total")
            .help("What was refused here because whoever asked had been overtaken.")
            .register(registry);
    GaugeWithCallback.builder()
        .name("penstock_gateway_leases_retained")
        .help("Ports that are kept for ended tunnels, of those that are decided on at this node.")
        .callback(callback -> callback.call(retained.values().stream().mapToInt(it -> it).sum()))
        .register(registry);
    for (Transport transport : Transport.values()) {
      held.initLabelValues(label(transport));
    }
    for (Outcome outcome : Outcome.values()) {
      requests.initLabelValues(label(outcome));
    }
  }

  /// One lease more is known.
  public void held(Transport transport) {
    held.labelValues(label(transport)).inc();
  }

  /// One lease less is known.
  public void notHeld(Transport transport) {
    held.labelValues(label(transport)).dec();
  }

  public void requested(Outcome outcome) {
    requests.labelValues(label(outcome)).inc();
  }

  /// A call was answered, by the store.
  public void stored(Duration took) {
    seconds.observe(took.toNanos() / 1e9);
  }

  /// A call was answered without the store.
  public void storeUnavailable() {
    unavailable.inc();
  }

  public void overtaken() {
    stale.inc();
  }

  /// How many ports are kept for ended tunnels by one of those who decide here.
  public void retained(String by, int ports) {
    retained.put(by, ports);
  }

  /// This one no longer decides here.
  public void retainsNoMore(String by) {
    retained.remove(by);
  }

  private static String label(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
