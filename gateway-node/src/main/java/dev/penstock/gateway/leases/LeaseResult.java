package dev.penstock.gateway.leases;

/// The answer to a [LeaseRequest]. The texts may be shown to the one who asked: they name no other
/// tenant.
public sealed interface LeaseResult {
  /// The tunnel has this port.
  ///
  /// @param change what of it has to be written down before anyone is told
  record Granted(Lease lease, Change change) implements LeaseResult {}

  /// The port asked for by number cannot be had.
  record Conflict(String text) implements LeaseResult {}

  /// Every port of the range is taken.
  record Exhausted(String text) implements LeaseResult {}

  /// How a granted lease differs from what was known before.
  enum Change {
    /// The identity had no lease.
    NEW,
    /// The same port as before, registered with something else.
    UPDATED,
    /// Exactly what it was.
    NONE
  }
}
