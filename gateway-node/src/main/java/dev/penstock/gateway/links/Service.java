package dev.penstock.gateway.links;

import dev.penstock.gateway.leases.TunnelIdentity;

/// What is known of the service behind a tunnel; the agent is told with every stream.
public record Service(
    TunnelIdentity identity, String serviceName, String serviceNamespace, int servicePort) {}
