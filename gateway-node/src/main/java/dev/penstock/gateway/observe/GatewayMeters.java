package dev.penstock.gateway.observe;

import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.link.LinkEnd;
import dev.penstock.protocol.link.StreamEnd;
import dev.penstock.protocol.link.Traffic;
import dev.penstock.protocol.yamux.ByteBudget;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.Locale;

/// All meters of a gateway, declared once. Labels come from closed sets only. Safe for use by
/// several threads.
public final class GatewayMeters {
  private final Traffic traffic = new Traffic();
  private final Gauge links;
  private final Counter linksEnded;
  private final Gauge tunnels;
  private final Gauge blockedTunnels;
  private final Counter tunnelsMissing;
  private final Gauge streams;
  private final Counter streamsOpened;
  private final Counter streamsEnded;
  private final Counter dialsFailed;
  private final Counter clientsRefused;
  private final Counter rejected;
  private final Histogram dialSeconds;

  public GatewayMeters(PrometheusRegistry registry, ByteBudget budget) {
    links =
        Gauge.builder()
            .name("penstock_gateway_links")
            .help("Agents' links that carry streams.")
            .register(registry);
    linksEnded =
        Counter.builder()
            .name("penstock_gateway_links_ended_total")
            .help("Links that carried streams and ended, by reason.")
            .labelNames("reason")
            .register(registry);
    tunnels =
        Gauge.builder()
            .name("penstock_gateway_tunnels")
            .help("Tunnels with a bound public port.")
            .register(registry);
    blockedTunnels =
        Gauge.builder()
            .name("penstock_gateway_tunnels_blocked")
            .help("Tunnels whose public port another program has; binding is tried again.")
            .register(registry);
    tunnelsMissing =
        Counter.builder()
            .name("penstock_gateway_tunnels_missing_total")
            .help("Tunnels that were deregistered because syncs no longer named them.")
            .register(registry);
    streams =
        Gauge.builder()
            .name("penstock_gateway_active_streams")
            .help("Clients' connections carried now.")
            .register(registry);
    streamsOpened =
        Counter.builder()
            .name("penstock_gateway_streams_total")
            .help("Clients' connections that were carried.")
            .register(registry);
    streamsEnded =
        Counter.builder()
            .name("penstock_gateway_streams_ended_total")
            .help("Carried connections that ended, by reason.")
            .labelNames("reason")
            .register(registry);
    dialsFailed =
        Counter.builder()
            .name("penstock_gateway_dials_failed_total")
            .help("Dials that an agent reported as failed, by reason.")
            .labelNames("reason")
            .register(registry);
    clientsRefused =
        Counter.builder()
            .name("penstock_gateway_clients_refused_total")
            .help("Clients' connections that were reset without being carried, by reason.")
            .labelNames("reason")
            .register(registry);
    rejected =
        Counter.builder()
            .name("penstock_gateway_rejected_total")
            .help("What peers of the agents' port did that was refused, by reason.")
            .labelNames("reason")
            .register(registry);
    dialSeconds =
        Histogram.builder()
            .name("penstock_gateway_dial_seconds")
            .help("From a client's connection until the agent had reached the service.")
            .classicOnly()
            .classicUpperBounds(
                0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
            .register(registry);
    CounterWithCallback.builder()
        .name("penstock_gateway_bytes_total")
        .help("Payload bytes carried, updated while connections run.")
        .labelNames("direction")
        .callback(sample -> {
          sample.call((double) traffic.toPeer(), "to_service");
          sample.call((double) traffic.fromPeer(), "to_client");
        })
        .register(registry);
    GaugeWithCallback.builder()
        .name("penstock_gateway_budget_used_bytes")
        .help("Memory held for slow readers, of all links together.")
        .callback(sample -> sample.call((double) budget.used()))
        .register(registry);
    GaugeWithCallback.builder()
        .name("penstock_gateway_budget_limit_bytes")
        .help("The bound on memory held for slow readers.")
        .callback(sample -> sample.call((double) budget.limit()))
        .register(registry);
  }

  /// Counts payload bytes.
  public Traffic traffic() {
    return traffic;
  }

  public void linkUp() {
    links.inc();
  }

  public void linkDown() {
    links.dec();
  }

  public void linkEnded(LinkEnd.Cause cause) {
    linksEnded.labelValues(label(cause)).inc();
  }

  public void tunnelBound() {
    tunnels.inc();
  }

  public void tunnelUnbound() {
    tunnels.dec();
  }

  public void tunnelBlocked() {
    blockedTunnels.inc();
  }

  public void tunnelUnblocked() {
    blockedTunnels.dec();
  }

  public void tunnelMissing() {
    tunnelsMissing.inc();
  }

  public void streamOpened() {
    streams.inc();
    streamsOpened.inc();
  }

  public void streamEnded(StreamEnd.Cause cause) {
    streams.dec();
    streamsEnded.labelValues(label(cause)).inc();
  }

  public void dialFailed(DialStatus.Code code) {
    dialsFailed.labelValues(code.label()).inc();
  }

  public void connected(long nanos) {
    dialSeconds.observe(nanos / 1e9);
  }

  public void clientRefused(ClientRefusal why) {
    clientsRefused.labelValues(label(why)).inc();
  }

  public void rejected(Rejection why) {
    rejected.labelValues(label(why)).inc();
  }

  private static String label(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
