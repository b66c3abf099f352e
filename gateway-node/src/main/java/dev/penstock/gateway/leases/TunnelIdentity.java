package dev.penstock.gateway.leases;

/// Who holds a lease: one tunnel of one cluster.
///
/// @param cluster the tenant's name, never shown to another
/// @param tunnelId unique within the cluster
public record TunnelIdentity(String cluster, String tunnelId) {}
