package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.Dialling;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.PortPolicy;
import dev.penstock.config.HostPort;
import dev.penstock.protocol.control.RoutingMode;
import dev.penstock.protocol.net.ProxyHeader;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A tunnel that there should be.
///
/// @param listenerPort the listener's or the Service's port: what the wanted public port is, or is
///   derived from
/// @param policy whether only `listenerPort` itself will do
/// @param publicEndpoint where clients reach the owner without us, for the modes that tell it
/// @param routes whose connections these are, the one that is served first; none for a Service
/// @param backends with their weights; none, or none with a weight, resets every client
/// @param idleTimeout empty for the agent's default
/// @param annotations those of the owner that the gateway understands, such as
///   `penstock.dev/max-connections`
public record DesiredTunnel(
    TunnelKey key,
    int listenerPort,
    PortPolicy policy,
    RoutingMode mode,
    Optional<HostPort> publicEndpoint,
    List<ObjectRef> routes,
    List<Backend> backends,
    Dialling dialling,
    ProxyHeader proxyProtocol,
    Optional<Duration> idleTimeout,
    Map<String, String> annotations) {
  public DesiredTunnel {
    routes = List.copyOf(routes);
    backends = List.copyOf(backends);
    annotations = Map.copyOf(annotations);
  }

  /// The tunnel id at the gateway.
  public String id() {
    return key.id();
  }
}
