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

  /// A port that is kept for a tunnel that has ended.
  ///
  /// @param since milliseconds since 1970
  record KeptPort(TunnelIdentity identity, Transport transport, int port, long since) {}

  /// A change of one tunnel or one reservation.
  sealed interface Change {
    /// A tunnel as it is now, in place of what its identity had; neither its port nor any other for
    /// it is kept any longer once it has one.
    record Held(TunnelRecord tunnel) implements Change {}

    /// The end of a tunnel.
    record Released(TunnelIdentity identity) implements Change {}

    /// The end of a tunnel whose port is kept for it.
    record Kept(KeptPort port) implements Change {}

    /// A reservation, in place of what its port had.
    record Reserved(Reservation reservation) implements Change {}

    /// The end of a reservation.
    record Unreserved(Transport transport, int port) implements Change {}
  }

  /// All that was found.
  ///
  /// @param tunnels no two of one identity or one port
  /// @param highestFencing the highest number ever granted, 0 when there was none
  /// @param kept in the order of their ends, none of a port that a tunnel has
  record Stored(
      List<TunnelRecord> tunnels,
      long highestFencing,
      List<KeptPort> kept,
      List<Reservation> reservations) {
    public Stored {
      tunnels = List.copyOf(tunnels);
      kept = List.copyOf(kept);
      reservations = List.copyOf(reservations);
    }

    /// Tunnels only.
    public Stored(List<TunnelRecord> tunnels, long highestFencing) {
      this(tunnels, highestFencing, List.of(), List.of());
    }
  }
}
