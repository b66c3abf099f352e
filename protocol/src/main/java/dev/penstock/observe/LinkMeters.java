package dev.penstock.observe;

import dev.penstock.protocol.link.LinkSample;
import dev.penstock.protocol.link.Traffic;
import dev.penstock.protocol.yamux.ByteBudget;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/// The series of both ends of a link: memory for slow readers, windows, round trips, and what was
/// odd. Safe for use by several threads.
public final class LinkMeters {
  private final Counter grown;
  private final Counter denied;
  private final Counter stray;
  private final Counter refused;
  private final Histogram roundTrip;

  /// @param prefix of all names: `penstock_gateway` or `penstock_agent`
  /// @param budget what all links of this process share
  public LinkMeters(PrometheusRegistry registry, String prefix, ByteBudget budget) {
    grown =
        Counter.builder()
            .name(prefix + "_windows_grown_total")
            .help("Receive windows that were enlarged because they limited a stream.")
            .register(registry);
    denied =
        Counter.builder()
            .name(prefix + "_windows_denied_total")
            .help("Receive windows that stayed small because the memory bound was near.")
            .register(registry);
    stray =
        Counter.builder()
            .name(prefix + "_stray_frames_total")
            .help("Frames for streams that do not exist: late ones are normal, a flood is not.")
            .register(registry);
    refused =
        Counter.builder()
            .name(prefix + "_streams_refused_total")
            .help("Streams of the peer that were reset because a bound was reached.")
            .register(registry);
    roundTrip =
        Histogram.builder()
            .name(prefix + "_link_rtt_seconds")
            .help("Round trips of the pings on the links.")
            .classicOnly()
            .classicUpperBounds(
                0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                5)
            .register(registry);
    GaugeWithCallback.builder()
        .name(prefix + "_budget_used_bytes")
        .help("Memory held for slow readers, of all links together.")
        .callback(sample -> sample.call((double) budget.used()))
        .register(registry);
    GaugeWithCallback.builder()
        .name(prefix + "_budget_limit_bytes")
        .help("The bound on memory held for slow readers.")
        .callback(sample -> sample.call((double) budget.limit()))
        .register(registry);
  }

  /// Counts what a link measured.
  public void measured(LinkSample sample) {
    grown.inc(sample.windowsGrown());
    denied.inc(sample.windowsDenied());
    stray.inc(sample.strayFrames());
    refused.inc(sample.streamsRefused());
    if (sample.rttNanos() > 0) {
      roundTrip.observe(sample.rttNanos() / 1e9);
    }
  }

  /// Serves running totals as `name`.
  ///
  /// @param toPeer value of the label `direction` for what goes into streams
  /// @param fromPeer value of the label `direction` for what comes out of them
  public static void serve(
      PrometheusRegistry registry,
      String name,
      String help,
      Traffic traffic,
      String toPeer,
      String fromPeer) {
    CounterWithCallback.builder()
        .name(name)
        .help(help)
        .labelNames("direction")
        .callback(sample -> {
          sample.call((double) traffic.toPeer(), toPeer);
          sample.call((double) traffic.fromPeer(), fromPeer);
        })
        .register(registry);
  }
}
