package dev.penstock.gateway.leases;

/// The answer to a [LeaseRequest]. The texts may be shown to the one who asked: they name no other
/// tenant.
public sealed interface LeaseResult {
  /// The tunnel is known, with the port it has, if any.
  ///
  /// @param change what of it has to be written down before anyone is told
  record Granted(TunnelRecord tunnel, Change change) implements LeaseResult {}

  /// The port asked for by number, or the tunnel's id, cannot be had.
  record Conflict(String text) implements LeaseResult {}

  /// Every port of the range is taken.
  record Exhausted(String text) implements LeaseResult {}

  /// The cluster has as much as one cluster may have.
  record OverQuota(String text) implements LeaseResult {}

  /// How a tunnel differs from what was known before.
  enum Change {
    /// It was not known.
    NEW,
    /// It was known otherwise.
    UPDATED,
    /// Exactly what it was.
    NONE
  }
}
