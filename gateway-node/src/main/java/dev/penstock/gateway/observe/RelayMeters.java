package dev.penstock.gateway.observe;

import dev.penstock.observe.LinkMeters;
import dev.penstock.protocol.link.DatagramTraffic;
import dev.penstock.protocol.link.LinkEnd;
import dev.penstock.protocol.link.Traffic;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.Locale;
import java.util.concurrent.atomic.LongAdder;

/// The meters of the relay; only a gateway with a cluster has them. Labels come from closed sets
/// only. Safe for use by several threads.
public final class RelayMeters {
  /// Which end of a relay link this node is.
  public enum End {
    /// It opened the link, and opens the streams.
    OUT,
    /// Another node opened the link.
    IN
  }

  private final Gauge links;
  private final Counter linksEnded;
  private final Counter connectsFailed;
  private final Counter rejected;
  private final Gauge streams;
  private final Counter streamsTotal;
  private final Counter notCarried;
  private final Counter elsewhere;
  private final LongAdder connections = new LongAdder();
  private final Traffic traffic = new Traffic();
  private final DatagramTraffic datagrams = new DatagramTraffic();

  public RelayMeters(PrometheusRegistry registry) {
    links =
        Gauge.builder()
            .name("penstock_gateway_relay_links")
            .help("Relay links to other nodes (out) and from them (in).")
            .labelNames("end")
            .register(registry);
    linksEnded =
        Counter.builder()
            .name("penstock_gateway_relay_links_ended_total")
            .help("Relay links that ended, by reason.")
            .labelNames("reason")
            .register(registry);
    connectsFailed =
        Counter.builder()
            .name("penstock_gateway_relay_connects_failed_total")
            .help("Relay links to other nodes that did not come up.")
            .register(registry);
    rejected =
        Counter.builder()
            .name("penstock_gateway_relay_rejected_total")
            .help("What peers of the relay port did that was refused, by reason.")
            .labelNames("reason")
            .register(registry);
    streams =
        Gauge.builder()
            .name("penstock_gateway_relay_active_streams")
            .help("Streams given to other nodes (out) and taken from them (in) now.")
            .labelNames("end")
            .register(registry);
    streamsTotal =
        Counter.builder()
            .name("penstock_gateway_relay_streams_total")
            .help("Streams that were given to other nodes (out) and taken from them (in).")
            .labelNames("end")
            .register(registry);
    notCarried =
        Counter.builder()
            .name("penstock_gateway_relay_not_carried_total")
            .help("Streams of other nodes that no link of this node could carry.")
            .register(registry);
    elsewhere =
        Counter.builder()
            .name("penstock_gateway_relay_moved_total")
            .help("Streams of other nodes that were sent to another event loop of this node.")
            .register(registry);
    LinkMeters.serve(
        registry,
        "penstock_gateway_relay_bytes_total",
        "Payload bytes of streams taken from other nodes, updated while they run.",
        traffic,
        "to_client",
        "to_service");
    for (End end : End.values()) {
      links.initLabelValues(label(end));
      streams.initLabelValues(label(end));
      streamsTotal.initLabelValues(label(end));
    }
  }

  public void linkUp(End end) {
    links.labelValues(label(end)).inc();
  }

  public void linkEnded(End end, LinkEnd.Cause cause) {
    links.labelValues(label(end)).dec();
    linksEnded.labelValues(cause.name().toLowerCase(Locale.ROOT)).inc();
  }

  public void connectFailed() {
    connectsFailed.inc();
  }

  public void rejected(RelayRejection why) {
    rejected.labelValues(why.label()).inc();
  }

  public void streamOpened(End end) {
    streams.labelValues(label(end)).inc();
    streamsTotal.labelValues(label(end)).inc();
  }

  public void streamEnded(End end) {
    streams.labelValues(label(end)).dec();
  }

  /// A connection of another node's client is carried from now on.
  public void connectionTaken() {
    connections.increment();
  }

  /// As many ended as were taken.
  public void connectionOver() {
    connections.decrement();
  }

  /// Connections of other nodes' clients that this node carries now; flows of datagrams are none,
  /// they go on elsewhere.
  public long connections() {
    return connections.sum();
  }

  public void notCarried() {
    notCarried.inc();
  }

  public void moved() {
    elsewhere.inc();
  }

  /// Counts payload bytes of streams taken from other nodes, seen from them.
  public Traffic traffic() {
    return traffic;
  }

  /// Counts datagrams of flows taken from other nodes.
  public DatagramTraffic datagrams() {
    return datagrams;
  }

  private static String label(End end) {
    return end.name().toLowerCase(Locale.ROOT);
  }
}
