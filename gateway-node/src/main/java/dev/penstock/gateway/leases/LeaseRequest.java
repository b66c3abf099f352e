package dev.penstock.gateway.leases;

/// A tunnel's wish to be known, and for a public port.
///
/// @param origin who names the tunnel now
/// @param registration see [TunnelRecord]
public record LeaseRequest(
    TunnelIdentity identity,
    Transport transport,
    PortWish wish,
    TunnelRecord.Origin origin,
    String registration) {}
