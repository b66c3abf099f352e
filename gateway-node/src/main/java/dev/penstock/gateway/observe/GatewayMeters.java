package dev.penstock.gateway.observe;

import dev.penstock.observe.AccessLog;
import dev.penstock.observe.LinkMeters;
import dev.penstock.observe.LogMeters;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.link.DatagramDrop;
import dev.penstock.protocol.link.DatagramTraffic;
import dev.penstock.protocol.link.LinkEnd;
import dev.penstock.protocol.link.StreamEnd;
import dev.penstock.protocol.link.Traffic;
import dev.penstock.protocol.yamux.ByteBudget;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.Locale;

/// All meters of a gateway, declared once, and its access log. Labels come from closed sets only.
/// Safe for use by several threads.
public final class GatewayMeters {
  private static final double[] SECONDS = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30
  };

  private final Live live = new Live();
  private final Traffic traffic = new Traffic();
  private final DatagramTraffic datagrams = new DatagramTraffic();
  private final Gauge udpSessions;
  private final Counter udpSessionsTotal;
  private final Gauge links;
  private final Counter linksEnded;
  private final Counter socketsOpened;
  private final Counter helloFallbacks;
  private final Counter canaries;
  private final Gauge tunnels;
  private final Gauge blockedTunnels;
  private final Counter tunnelsMissing;
  private final Counter tunnelsCrashed;
  private final Gauge streams;
  private final Counter streamsOpened;
  private final Counter streamsEnded;
  private final Counter dialsFailed;
  private final Counter clientsRefused;
  private final Counter sourcesForgotten;
  private final Counter rejected;
  private final Histogram dialSeconds;
  private final Histogram firstByteSeconds;
  private final LinkMeters linkMeters;
  private final AccessLog access;

  /// Without an access log.
  public GatewayMeters(PrometheusRegistry registry, ByteBudget budget) {
    this(registry, budget, AccessLog.off());
  }

  public GatewayMeters(PrometheusRegistry registry, ByteBudget budget, AccessLog access) {
    this.access = access;
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
    socketsOpened =
        Counter.builder()
            .name("penstock_gateway_sockets_opened_total")
            .help("WebSockets that agents opened, by kind.")
            .labelNames("socket")
            .register(registry);
    helloFallbacks =
        Counter.builder()
            .name("penstock_gateway_hello_fallbacks_total")
            .help("Links that stayed without yamux because the agent did not agree to it in time.")
            .register(registry);
    canaries =
        Counter.builder()
            .name("penstock_gateway_canaries_total")
            .help("Canary streams that agents answered, which proves that their links carry.")
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
    tunnelsCrashed =
        Counter.builder()
            .name("penstock_gateway_tunnels_crashed_total")
            .help("Tunnels whose listener ended by a fault of the gateway; they are bound again.")
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
            .help("Dials of agents that failed, by reason.")
            .labelNames("reason")
            .register(registry);
    clientsRefused =
        Counter.builder()
            .name("penstock_gateway_clients_refused_total")
            .help("Clients' connections that were reset without being carried, by reason.")
            .labelNames("reason")
            .register(registry);
    sourcesForgotten =
        Counter.builder()
            .name("penstock_gateway_sources_forgotten_total")
            .help("Sources whose pace was forgotten early because too many came within a second.")
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
            .classicUpperBounds(SECONDS)
            .register(registry);
    firstByteSeconds =
        Histogram.builder()
            .name("penstock_gateway_first_byte_seconds")
            .help("From a client's connection until the first byte of the service was here.")
            .classicOnly()
            .classicUpperBounds(SECONDS)
            .register(registry);
    LinkMeters.serve(
        registry,
        "penstock_gateway_bytes_total",
        "Payload bytes carried, updated while connections run.",
        traffic,
        "to_service",
        "to_client");
    udpSessions =
        Gauge.builder()
            .name("penstock_gateway_udp_active_sessions")
            .help("Flows of UDP clients carried now.")
            .register(registry);
    udpSessionsTotal =
        Counter.builder()
            .name("penstock_gateway_udp_sessions_total")
            .help("Flows of UDP clients that were carried.")
            .register(registry);
    CounterWithCallback.builder()
        .name("penstock_gateway_udp_datagrams_total")
        .help("Datagrams given to agents' links, and sent to clients.")
        .labelNames("direction")
        .callback(sample -> {
          sample.call((double) datagrams.toPeer(), "to_service");
          sample.call((double) datagrams.fromPeer(), "to_client");
        })
        .register(registry);
    CounterWithCallback.builder()
        .name("penstock_gateway_udp_bytes_total")
        .help("Payload bytes of those datagrams.")
        .labelNames("direction")
        .callback(sample -> {
          sample.call((double) datagrams.bytesToPeer(), "to_service");
          sample.call((double) datagrams.bytesFromPeer(), "to_client");
        })
        .register(registry);
    CounterWithCallback.builder()
        .name("penstock_gateway_udp_dropped_total")
        .help("Datagrams that were not carried on, by reason.")
        .labelNames("reason")
        .callback(sample -> {
          for (DatagramDrop why : DatagramDrop.values()) {
            sample.call((double) datagrams.dropped(why), why.label());
          }
        })
        .register(registry);
    linkMeters = new LinkMeters(registry, "penstock_gateway", budget);
    LogMeters.register(registry, "penstock_gateway", access);
  }

  /// Who is told of every connection and flow that is over.
  public AccessLog access() {
    return access;
  }

  /// What runs now, one by one.
  public Live live() {
    return live;
  }

  /// Clients' connections and flows of datagrams that agents' links of this node carry now.
  public long carried() {
    return Math.round(streams.get() + udpSessions.get());
  }

  /// Canary streams that agents answered.
  public void canaries(long answered) {
    canaries.inc(answered);
  }

  /// What the links measure.
  public LinkMeters links() {
    return linkMeters;
  }

  /// Counts datagrams of UDP tunnels and their bytes.
  public DatagramTraffic datagrams() {
    return datagrams;
  }

  public void udpSessionOpened() {
    udpSessions.inc();
    udpSessionsTotal.inc();
  }

  public void udpSessionEnded() {
    udpSessions.dec();
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

  public void controllerSocketOpened() {
    socketsOpened.labelValues("controller").inc();
  }

  public void gatewaySocketOpened() {
    socketsOpened.labelValues("gateway").inc();
  }

  public void helloFallback() {
    helloFallbacks.inc();
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

  public void tunnelCrashed() {
    tunnelsCrashed.inc();
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

  /// An agent that does not report its dials ended a stream as if one had failed.
  public void dialSuspected() {
    dialsFailed.labelValues("suspected").inc();
  }

  public void connected(long nanos) {
    dialSeconds.observe(nanos / 1e9);
  }

  public void firstByte(long nanos) {
    firstByteSeconds.observe(nanos / 1e9);
  }

  public void clientRefused(ClientRefusal why) {
    clientsRefused.labelValues(label(why)).inc();
  }

  public void sourceForgotten() {
    sourcesForgotten.inc();
  }

  public void rejected(Rejection why) {
    rejected.labelValues(label(why)).inc();
  }

  private static String label(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
