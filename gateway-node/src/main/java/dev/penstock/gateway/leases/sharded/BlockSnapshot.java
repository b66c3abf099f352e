package dev.penstock.gateway.leases.sharded;

import java.util.List;
import java.util.Map;

/// All that a [BlockBook] knows.
///
/// @param attempts the highest number of a request, by tenant
record BlockSnapshot(
    long highestFencing, List<BlockEvent.Held> held, List<Kept> kept, Map<String, Long> attempts)
    implements Wire {
  BlockSnapshot {
    held = List.copyOf(held);
    kept = List.copyOf(kept);
    attempts = Map.copyOf(attempts);
  }

  /// A port that is kept for a tunnel that has ended.
  ///
  /// @param since milliseconds since 1970
  record Kept(String cluster, String tunnelId, int port, long since) {}
}
