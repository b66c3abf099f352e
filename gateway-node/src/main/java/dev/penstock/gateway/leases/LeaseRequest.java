package dev.penstock.gateway.leases;

import java.util.OptionalInt;

/// A tunnel's wish for a public port.
///
/// @param listenerPort the service's own port, 1 to 65535; 10000 more is the port preferred
/// @param wantedPort the port that is asked for by number, this one or none; empty leaves it to the
///   rule
/// @param registration see [Lease]
public record LeaseRequest(
    TunnelIdentity identity,
    Transport transport,
    int listenerPort,
    OptionalInt wantedPort,
    String registration) {}
