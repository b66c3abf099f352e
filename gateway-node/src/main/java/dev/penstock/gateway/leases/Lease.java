package dev.penstock.gateway.leases;

/// The right of one tunnel to one public port.
///
/// @param fencing number of the grant, from 1; of two leases of one port the later has the higher
///   one, so that whoever acts for the earlier is known to be stale
/// @param registration what the tunnel was registered with, opaque here; kept so that its listener
///   can be bound again after a restart
public record Lease(
    TunnelIdentity identity, Transport transport, int port, long fencing, String registration) {}
