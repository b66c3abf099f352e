package dev.penstock.gateway.leases;

import java.util.Map;
import java.util.Set;

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

  /// These ports have these tunnels and no others. What a node knows beyond that from answers of
  /// its own has ended without its being told, unless it is newer.
  ///
  /// @param last inclusive
  /// @param upTo by tenant, the revision up to which this is so
  record Whole(
      Transport transport, int first, int last, Set<TunnelIdentity> tunnels, Map<String, Long> upTo)
      implements TableChange {
    public Whole {
      tunnels = Set.copyOf(tunnels);
      upTo = Map.copyOf(upTo);
    }

    /// Whether the tunnel, as it was at `revision`, has ended by now.
    public boolean ends(TunnelRecord tunnel, long revision) {
      Lease lease = tunnel.lease();
      return tunnel.transport() == transport
          && lease != null
          && lease.port() >= first
          && lease.port() <= last
          && revision <= upTo.getOrDefault(tunnel.identity().cluster(), Long.MIN_VALUE)
          && !tunnels.contains(tunnel.identity());
    }
  }

  /// Everything that was in the table when the follower began to follow has been told.
  record Complete() implements TableChange {}
}
