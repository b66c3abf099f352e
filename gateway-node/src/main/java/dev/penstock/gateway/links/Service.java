package dev.penstock.gateway.links;

import dev.penstock.access.AccessRules;
import dev.penstock.gateway.leases.TunnelIdentity;

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
    AccessRules access) {}
