package dev.penstock.agent.observe;

import static java.util.Objects.requireNonNull;

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
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;

/// All meters of an agent, declared once, and its access log; the names that start with
/// `pipeops_agent_` are those that dashboards of the original agent know. Labels come from closed
/// sets only. Safe for use by several threads.
public final class AgentMeters {
  private static final double[] SECONDS = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30
  };

  /// What can happen to a datagram on an agent.
  private static final Set<DatagramDrop> DROPS =
      EnumSet.complementOf(
          EnumSet.of(
              DatagramDrop.NO_LINK,
              DatagramDrop.DRAINING,
              DatagramDrop.NO_SERVICE,
              DatagramDrop.SOURCE_REFUSED,
              DatagramDrop.TOO_MANY_SESSIONS,
              DatagramDrop.DIAL_FAILED));

  private final Live live = new Live();
  private final Traffic traffic = new Traffic();
  private final DatagramTraffic datagrams = new DatagramTraffic();
  private final Map<DialStatus.Code, LongAdder> udpDialsFailed =
      new EnumMap<>(DialStatus.Code.class);
  private final Gauge udpSessions;
  private final Counter udpSessionsTotal;
  private final Gauge connections;
  private final Counter connectionsTotal;
  private final Counter errors;
  private final Counter endpointsFailed;
  private final Counter ended;
  private final Histogram duration;
  private final Gauge links;
  private final Counter linksEnded;
  private final Counter linksCrashed;
  private final Counter reconnections;
  private final Histogram dialSeconds;
  private final Histogram firstByteSeconds;
  private final LinkMeters linkMeters;
  private final YamuxMeters yamux;
  private final DiscoveryMeters discovery;
  private final KubernetesMeters kubernetes;
  private final HeartbeatMeters heartbeats;
  private final AccessLog access;

  /// What runs now, one by one.
  public Live live() {
    return live;
  }

  /// Without an access log.
  public AgentMeters(PrometheusRegistry registry, ByteBudget budget) {
    this(registry, budget, AccessLog.off());
  }

  public AgentMeters(PrometheusRegistry registry, ByteBudget budget, AccessLog access) {
    this.access = access;
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
    endpointsFailed =
        Counter.builder()
            .name("penstock_agent_endpoints_failed_total")
            .help("Endpoints of a service that took no connection, after which another was tried.")
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
    linksCrashed =
        Counter.builder()
            .name("penstock_agent_links_crashed_total")
            .help("Links that ended by a fault of the agent; they are opened again.")
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
    dialSeconds =
        Histogram.builder()
            .name("penstock_agent_dial_seconds")
            .help("How long services took to accept connections.")
            .classicOnly()
            .classicUpperBounds(SECONDS)
            .register(registry);
    firstByteSeconds =
        Histogram.builder()
            .name("penstock_agent_first_byte_seconds")
            .help("From a stream's opening until the first byte of its service.")
            .classicOnly()
            .classicUpperBounds(SECONDS)
            .register(registry);
    LinkMeters.serve(
        registry,
        "pipeops_agent_tcp_tunnel_bytes_total",
        "Payload bytes, updated while connections run: sent to the gateway, received from it.",
        traffic,
        "sent",
        "received");
    for (DialStatus.Code code : DialStatus.Code.values()) {
      udpDialsFailed.put(code, new LongAdder());
    }
    udpSessions =
        Gauge.builder()
            .name("pipeops_agent_udp_tunnel_active_sessions")
            .help("UDP sessions that are carried now.")
            .register(registry);
    udpSessionsTotal =
        Counter.builder()
            .name("pipeops_agent_udp_tunnel_sessions_total")
            .help("UDP sessions that were carried.")
            .register(registry);
    CounterWithCallback.builder()
        .name("pipeops_agent_udp_tunnel_packets_total")
        .help("Datagrams sent to the gateway, and received from it and given to a service.")
        .labelNames("direction")
        .callback(sample -> {
          sample.call((double) datagrams.toPeer(), "sent");
          sample.call((double) datagrams.fromPeer(), "received");
        })
        .register(registry);
    CounterWithCallback.builder()
        .name("pipeops_agent_udp_tunnel_bytes_total")
        .help("Payload bytes of those datagrams.")
        .labelNames("direction")
        .callback(sample -> {
          sample.call((double) datagrams.bytesToPeer(), "sent");
          sample.call((double) datagrams.bytesFromPeer(), "received");
        })
        .register(registry);
    CounterWithCallback.builder()
        .name("pipeops_agent_udp_tunnel_errors_total")
        .help(
            "Sessions that could not be opened, and datagrams that were not carried on, by reason.")
        .labelNames("error_type")
        .callback(sample -> {
          udpDialsFailed.forEach((code, count) -> {
            if (code != DialStatus.Code.CONNECTED) {
              sample.call((double) count.sum(), code.label());
            }
          });
          for (DatagramDrop why : DROPS) {
            sample.call((double) datagrams.dropped(why), why.label());
          }
        })
        .register(registry);
    linkMeters = new LinkMeters(registry, "penstock_agent", budget);
    yamux = new YamuxMeters(registry, traffic);
    discovery = new DiscoveryMeters(registry);
    kubernetes = new KubernetesMeters(registry);
    heartbeats = new HeartbeatMeters(registry);
    LogMeters.register(registry, "penstock_agent", access);
  }

  /// Who is told of every connection and flow that is over.
  public AccessLog access() {
    return access;
  }

  /// What the links measure.
  public LinkMeters links() {
    return linkMeters;
  }

  public YamuxMeters yamux() {
    return yamux;
  }

  public DiscoveryMeters discovery() {
    return discovery;
  }

  public KubernetesMeters kubernetes() {
    return kubernetes;
  }

  public HeartbeatMeters heartbeats() {
    return heartbeats;
  }

  /// Counts datagrams of UDP sessions and their bytes.
  public DatagramTraffic datagrams() {
    return datagrams;
  }

  public void udpSessionStarted() {
    udpSessions.inc();
    udpSessionsTotal.inc();
  }

  public void udpSessionEnded() {
    udpSessions.dec();
  }

  /// A session could not be opened, or its service answered that nobody listens.
  public void udpFailed(DialStatus.Code code) {
    requireNonNull(udpDialsFailed.get(code)).increment();
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

  public void linkCrashed() {
    linksCrashed.inc();
  }

  public void reconnecting() {
    reconnections.inc();
  }

  public void dialFailed(DialStatus.Code code) {
    errors.labelValues(code.label()).inc();
  }

  /// An endpoint of a service took no connection, and another is tried.
  public void endpointFailed() {
    endpointsFailed.inc();
  }

  /// A service accepted a connection.
  public void dialled(long nanos) {
    dialSeconds.observe(nanos / 1e9);
  }

  public void firstByte(long nanos) {
    firstByteSeconds.observe(nanos / 1e9);
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
