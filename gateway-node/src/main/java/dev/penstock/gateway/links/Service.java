package dev.penstock.gateway.links;

import dev.penstock.access.AccessRules;
import dev.penstock.gateway.leases.TunnelIdentity;

/// What is known of the service behind a tunnel; the agent is told with every stream.
///
/// @param access who may connect, as the tunnel's owner wants it; the agent is not told
public record Service(
    TunnelIdentity identity,
    String serviceName,
    String serviceNamespace,
    int servicePort,
    AccessRules access) {}
