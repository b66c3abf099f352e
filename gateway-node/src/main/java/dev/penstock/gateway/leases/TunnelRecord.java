package dev.penstock.gateway.leases;

import org.jspecify.annotations.Nullable;

/// A registered tunnel: what lasts of it.
///
/// @param lease null as long as it needed no port
/// @param origin who named it
/// @param registration what it was registered with, opaque here; kept so that its listener can be
///   bound again after a restart
public record TunnelRecord(
    TunnelIdentity identity,
    Transport transport,
    @Nullable Lease lease,
    Origin origin,
    String registration) {
  /// Who named a tunnel.
  public enum Origin {
    /// Registrations only; no sync speaks for it.
    REGISTRATION,
    /// A sync did, at least once.
    SYNC
  }
}
