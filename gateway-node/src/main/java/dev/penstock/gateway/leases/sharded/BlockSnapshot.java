package dev.penstock.gateway.leases.sharded;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// All that a [BlockBook] knows.
///
/// @param attempts the highest number of a request, by tenant
/// @param reserved who alone is given a port, by port
record BlockSnapshot(
    long highestFencing,
    List<BlockEvent.Held> held,
    List<Kept> kept,
    Map<String, Long> attempts,
    Map<Integer, String> reserved)
    implements Wire {
  BlockSnapshot(
      long highestFencing,
      List<BlockEvent.Held> held,
      List<Kept> kept,
      Map<String, Long> attempts,
      @Nullable Map<Integer, String> reserved) {
    this.highestFencing = highestFencing;
    this.held = List.copyOf(held);
    this.kept = List.copyOf(kept);
    this.attempts = Map.copyOf(attempts);
    // Snapshots of before have none.
    this.reserved = reserved == null ? Map.of() : Map.copyOf(reserved);
  }

  /// A port that is kept for a tunnel that has ended.
  ///
  /// @param since milliseconds since 1970
  record Kept(String cluster, String tunnelId, int port, long since) {}
}
