package dev.penstock.gateway.leases;

/// A line of the table of all tunnels, as a node is told of it. The changes of one tunnel may come
/// in any order and more than once: the one with the highest revision holds.
public sealed interface TableChange {
  /// The tunnel is this.
  ///
  /// @param revision rises with every change of the tunnel
  record Held(TunnelRecord tunnel, long revision) implements TableChange {}

  /// The tunnel has ended.
  ///
  /// @param revision higher than that of whatever the tunnel was
  record Released(TunnelIdentity identity, long revision) implements TableChange {}

  /// Everything that was in the table when the follower began to follow has been told.
  record Complete() implements TableChange {}
}
