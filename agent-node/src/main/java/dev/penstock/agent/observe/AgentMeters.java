package dev.penstock.agent.observe;

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

/// All meters of an agent, declared once; the names that start with `pipeops_agent_` are those that
/// dashboards of the original agent know. Labels come from closed sets only. Safe for use by
/// several threads.
public final class AgentMeters {
  private final Traffic traffic = new Traffic();
  private final Gauge connections;
  private final Counter connectionsTotal;
  private final Counter errors;
  private final Counter ended;
  private final Histogram duration;
  private final Gauge links;
  private final Counter linksEnded;
  private final Counter reconnections;

  public AgentMeters(PrometheusRegistry registry, ByteBudget budget) {
    connections =
        Gauge.builder()
            .name("pipeops_agent_tcp_tunnel_active_connections")
            .help("Connections to services that are carried now.")
            .register(registry);
    connectionsTotal =
        Counter.builder()
            .name("pipeops_agent_tcp_tunnel_connections_total")
            .help("Connections to services that were carried.")
            .register(registry);
    errors =
        Counter.builder()
            .name("pipeops_agent_tcp_tunnel_errors_total")
            .help("Services that could not be reached, by reason.")
            .labelNames("error_type")
            .register(registry);
    duration =
        Histogram.builder()
            .name("pipeops_agent_tcp_tunnel_connection_duration_seconds")
            .help("How long carried connections lasted.")
            .classicOnly()
            .classicUpperBounds(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
            .register(registry);
    ended =
        Counter.builder()
            .name("penstock_agent_streams_ended_total")
            .help("Carried connections that ended, by reason.")
            .labelNames("reason")
            .register(registry);
    links =
        Gauge.builder()
            .name("penstock_agent_links")
            .help("Links to gateways that carry streams.")
            .register(registry);
    linksEnded =
        Counter.builder()
            .name("penstock_agent_links_ended_total")
            .help("Links that ended, by reason.")
            .labelNames("reason")
            .register(registry);
    reconnections =
        Counter.builder()
            .name("pipeops_agent_websocket_reconnections_total")
            .help("Links that were opened again after an end.")
            .register(registry);
    CounterWithCallback.builder()
        .name("pipeops_agent_tcp_tunnel_bytes_total")
        .help(
            "Payload bytes, updated while connections run: sent to the gateway, received from it.")
        .labelNames("direction")
        .callback(sample -> {
          sample.call((double) traffic.toPeer(), "sent");
          sample.call((double) traffic.fromPeer(), "received");
        })
        .register(registry);
    GaugeWithCallback.builder()
        .name("penstock_agent_budget_used_bytes")
        .help("Memory held for slow readers, of all links together.")
        .callback(sample -> sample.call((double) budget.used()))
        .register(registry);
    GaugeWithCallback.builder()
        .name("penstock_agent_budget_limit_bytes")
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

  public void linkEnded(LinkEnd.Cause cause) {
    links.dec();
    linksEnded.labelValues(label(cause)).inc();
  }

  public void reconnecting() {
    reconnections.inc();
  }

  public void dialFailed(DialStatus.Code code) {
    errors.labelValues(code.label()).inc();
  }

  public void streamStarted() {
    connections.inc();
    connectionsTotal.inc();
  }

  public void streamEnded(StreamEnd.Cause cause, long nanos) {
    connections.dec();
    duration.observe(nanos / 1e9);
    ended.labelValues(label(cause)).inc();
  }

  private static String label(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
