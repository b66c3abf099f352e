package dev.penstock.gateway.leases;

/// The right of one tunnel to one public port.
///
/// @param fencing number of the grant, from 1; of two leases of one port the later has the higher
///   one, so that whoever acts for the earlier is known to be stale
public record Lease(int port, long fencing) {}
