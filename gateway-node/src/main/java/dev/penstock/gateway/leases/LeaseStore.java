package dev.penstock.gateway.leases;

import java.io.Closeable;
import java.io.IOException;
import java.util.List;

/// What lasts of leases. One owner, which calls [#load] once and first. Calls may block.
public interface LeaseStore extends Closeable {
  /// What was appended before.
  ///
  /// @throws IOException when it cannot be read or makes no sense; the message says where
  Stored load() throws IOException;

  /// Writes one change down. When this returns, it lasts; when it throws, it was never written.
  void append(LeaseEvent event) throws IOException;

  /// A change of one lease.
  sealed interface LeaseEvent {
    /// A lease as it is now, in place of any that its identity had.
    record Held(Lease lease) implements LeaseEvent {}

    /// The end of a lease.
    record Released(TunnelIdentity identity, Transport transport) implements LeaseEvent {}
  }

  /// All that was found.
  ///
  /// @param leases no two of one identity or one port
  /// @param highestFencing the highest number ever granted, 0 when there was none
  /// @param warnings what the operator should know, one sentence each
  record Stored(List<Lease> leases, long highestFencing, List<String> warnings) {
    public Stored {
      leases = List.copyOf(leases);
      warnings = List.copyOf(warnings);
    }
  }
}
