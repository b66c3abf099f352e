package dev.penstock.gateway.links;

import dev.penstock.access.AccessRules;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.observe.Passage;
import java.net.InetSocketAddress;

/// What is known of the service behind a tunnel; the agent is told with every stream.
///
/// @param listenerPort what the tunnel was registered for: the port that an original agent dials in
///   JSON, at its own host
/// @param access who may connect, as the tunnel's owner wants it; the agent is not told
public record Service(
    TunnelIdentity identity,
    String serviceName,
    String serviceNamespace,
    int servicePort,
    int listenerPort,
    AccessRules access) {
  /// Adds what the access log tells of a client of this service.
  ///
  /// @param listener the public address
  public Passage describe(Passage passage, InetSocketAddress client, InetSocketAddress listener) {
    return passage
        .with("clientAddress", client)
        .with("port", listener.getPort())
        .with("cluster", identity.cluster())
        .with("tunnel", identity.tunnelId())
        .with("service", serviceName)
        .with("namespace", serviceNamespace);
  }
}
