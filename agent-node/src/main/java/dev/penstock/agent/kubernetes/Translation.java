package dev.penstock.agent.kubernetes;

import static java.util.stream.Collectors.joining;

import dev.penstock.agent.kubernetes.backends.BackendChooser;
import dev.penstock.agent.kubernetes.backends.BackendsView;
import dev.penstock.agent.kubernetes.backends.Choice;
import dev.penstock.agent.kubernetes.backends.Place;
import dev.penstock.agent.kubernetes.discovery.Backend;
import dev.penstock.agent.kubernetes.discovery.DesiredTunnel;
import dev.penstock.agent.kubernetes.discovery.DiscoveryOptions;
import dev.penstock.agent.kubernetes.discovery.GatewayLabel;
import dev.penstock.agent.kubernetes.discovery.Grant;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.Dialling;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.PortPolicy;
import dev.penstock.agent.serve.Backends;
import dev.penstock.agent.serve.Exposure;
import dev.penstock.agent.serve.Grants;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.agent.settings.DiscoverySettings;
import dev.penstock.agent.settings.KubernetesSettings;
import dev.penstock.agent.settings.TcpSettings;
import dev.penstock.agent.settings.UdpSettings;
import dev.penstock.config.HostPort;
import dev.penstock.protocol.control.CallerAddress;
import dev.penstock.protocol.control.TunnelRegistered;
import dev.penstock.protocol.control.TunnelRegistration;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Between the words of discovery and those of the agent. Pure; any thread.
final class Translation {
  private static final Pattern ABOUT_A_PORT = Pattern.compile("\\bports?\\b|\\btunnel_port\\b");
  private static final Pattern ABOUT_AN_IDENTITY =
      Pattern.compile("\\b(tunnel_id|protocol|kubernetes)\\b");
  private static final Duration LONGEST_SESSION = Duration.ofDays(1);

  private Translation() {}

  static DiscoveryOptions options(AgentSettings settings, String cluster) {
    KubernetesSettings kubernetes = settings.kubernetes();
    return new DiscoveryOptions(
        cluster,
        label(settings.tcpDiscovery()),
        label(settings.udpDiscovery()),
        settings.routing(),
        switch (kubernetes.trustOwner()) {
          case AUTO -> DiscoveryOptions.TrustOwner.AUTO;
          case TRUE -> DiscoveryOptions.TrustOwner.ALWAYS;
          case FALSE -> DiscoveryOptions.TrustOwner.NEVER;
        },
        switch (kubernetes.referenceGrants()) {
          case ENFORCE -> DiscoveryOptions.GrantPolicy.ENFORCE;
          case WARN -> DiscoveryOptions.GrantPolicy.WARN;
        },
        switch (kubernetes.backends()) {
          case DIRECT -> Dialling.ENDPOINTS;
          case CLUSTER_IP -> Dialling.CLUSTER_IP;
        },
        kubernetes.watchNamespaces());
  }

  static Place place(KubernetesSettings settings) {
    return new Place(settings.node(), settings.zone());
  }

  private static Optional<GatewayLabel> label(DiscoverySettings discovery) {
    return discovery.state() == DiscoverySettings.State.ENABLED
        ? Optional.of(GatewayLabel.parse(discovery.gatewayLabel()))
        : Optional.empty();
  }

  /// What the agent has to do for a tunnel.
  static Exposure exposure(
      DesiredTunnel tunnel, AgentSettings settings, BackendChooser chooser, BackendsView view) {
    ObjectRef owner = tunnel.key().owner();
    Optional<Backend.ToService> service =
        tunnel.backends().stream()
            .filter(Backend.ToService.class::isInstance)
            .map(Backend.ToService.class::cast)
            .findFirst();
    var told =
        TunnelRegistration.of(
                tunnel.key().protocol(),
                tunnel.id(),
                service.map(to -> to.service().name()).orElse(""),
                service.map(Backend.ToService::port).orElse(0))
            .cluster(tunnel.key().cluster())
            .gateway(owner.namespace(), owner.name(), tunnel.listenerPort())
            .serviceNamespace(service.map(to -> to.service().namespace()).orElse(""))
            .routingMode(tunnel.mode())
            .publicEndpoint(tunnel.publicEndpoint().map(HostPort::toString).orElse(""))
            .annotations(tunnel.annotations());
    if (tunnel.policy() == PortPolicy.EXACT) {
      told.tunnelPort(tunnel.listenerPort());
    }
    return new Exposure(
        told.build(),
        owner.namespace() + "/" + owner.name() + "/" + tunnel.key().section(),
        leadsTo(tunnel.backends()),
        backends(tunnel, chooser, view),
        tcp(settings.tcp(), tunnel.idleTimeout()),
        udp(settings.udp(), tunnel.idleTimeout()),
        tunnel.proxyProtocol());
  }

  private static String leadsTo(List<Backend> backends) {
    return backends.isEmpty()
        ? "nowhere"
        : backends.stream()
            .map(backend ->
                switch (backend) {
                  case Backend.ToService to ->
                      to.service().namespace() + "/" + to.service().name() + ":" + to.port();
                  case Backend.Invalid invalid -> "nowhere (" + invalid.why() + ")";
                })
            .collect(joining(", "));
  }

  private static Backends backends(
      DesiredTunnel tunnel, BackendChooser chooser, BackendsView view) {
    return caller ->
        switch (chooser.choose(tunnel, view, client(caller), ThreadLocalRandom.current())) {
          case Choice.Dial(var candidates) ->
              new Backends.Choice.Endpoints(
                  candidates.stream().map(Translation::hostPort).toList());
          case Choice.Refuse(var why) -> new Backends.Choice.Nowhere(why);
        };
  }

  private static Optional<InetAddress> client(@Nullable CallerAddress caller) {
    return caller == null ? Optional.empty() : Optional.of(caller.client().getAddress());
  }

  private static HostPort hostPort(InetSocketAddress resolved) {
    return new HostPort(resolved.getAddress().getHostAddress(), resolved.getPort());
  }

  private static TcpSettings tcp(TcpSettings common, Optional<Duration> idleTimeout) {
    return new TcpSettings(
        common.bufferSize(),
        common.keepAlive(),
        common.keepAlivePeriod(),
        common.connectionTimeout(),
        idleTimeout.orElse(common.idleTimeout()),
        common.maxConnections());
  }

  private static UdpSettings udp(UdpSettings common, Optional<Duration> idleTimeout) {
    return new UdpSettings(
        common.bufferSize(),
        idleTimeout
            .filter(Duration::isPositive)
            .map(timeout -> timeout.compareTo(LONGEST_SESSION) > 0 ? LONGEST_SESSION : timeout)
            .orElse(common.sessionTimeout()),
        common.maxSessions());
  }

  /// What discovery is to know of the gateway's answer.
  static Grant grant(Grants.Grant grant) {
    return switch (grant) {
      case Grants.Grant.Given(var tunnel) when tunnel.tunnelPort() != TunnelRegistered.NO_PORT ->
          HostPort.parse(tunnel.tunnelEndpoint())
              .<Grant>map(Grant.Granted::new)
              .orElseGet(Grant.Known::new);
      case Grants.Grant.Given _ -> new Grant.Known();
      case Grants.Grant.Refused(var why) -> new Grant.Refused(cause(why), why);
    };
  }

  /// The gateway says why in words only.
  private static Grant.Cause cause(String why) {
    String text = why.toLowerCase(Locale.ROOT);
    if (ABOUT_A_PORT.matcher(text).find()) {
      return Grant.Cause.PORT;
    }
    return ABOUT_AN_IDENTITY.matcher(text).find() ? Grant.Cause.IDENTITY : Grant.Cause.OTHER;
  }
}
