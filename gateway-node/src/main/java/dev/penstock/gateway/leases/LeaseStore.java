package dev.penstock.gateway.leases;

import java.io.Closeable;
import java.io.IOException;
import java.util.List;

/// What lasts of tunnels and their leases. One owner. Calls may block.
public interface LeaseStore extends Closeable {
  /// What was written before.
  ///
  /// @throws IOException when it cannot be read or makes no sense; the message says what to do
  Stored load() throws IOException;

  /// Writes changes down, in this order, all or none. When this returns, they last, whatever
  /// happens to process or machine; when it throws, none was written.
  void write(List<Change> changes) throws IOException;

  /// A change of one tunnel.
  sealed interface Change {
    /// A tunnel as it is now, in place of what its identity had.
    record Held(TunnelRecord tunnel) implements Change {}

    /// The end of a tunnel.
    record Released(TunnelIdentity identity) implements Change {}
  }

  /// All that was found.
  ///
  /// @param tunnels no two of one identity or one port
  /// @param highestFencing the highest number ever granted, 0 when there was none
  record Stored(List<TunnelRecord> tunnels, long highestFencing) {
    public Stored {
      tunnels = List.copyOf(tunnels);
    }
  }
}
