package dev.penstock.gateway.leases;

import dev.penstock.config.PortRange;
import java.util.List;
import java.util.OptionalInt;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// The free ports of a range, for one transport. Every operation takes time logarithmic in the size
/// of the range; memory is about 64 bytes per free port. One owner.
final class PortAllocator {
  static final int PREFERRED_OFFSET = 10_000;

  private final PortRange range;
  private final TreeSet<Integer> free = new TreeSet<>();

  PortAllocator(PortRange range) {
    this.range = range;
    for (int port = range.first(); port <= range.last(); port++) {
      free.add(port);
    }
  }

  /// Takes this port, or returns false when it is not free.
  boolean take(int port) {
    return free.remove(port);
  }

  /// Takes 10000 + the listener port when that is free, else the next free one above it, from the
  /// start of the range when there is none. Empty when no port is free.
  ///
  /// @param allowed the ports to choose from, in order
  OptionalInt takeFor(int listenerPort, List<PortRange> allowed) {
    Integer port = firstFree(PREFERRED_OFFSET + listenerPort, allowed);
    if (port == null) {
      port = firstFree(range.first(), allowed);
    }
    if (port == null) {
      return OptionalInt.empty();
    }
    free.remove(port);
    return OptionalInt.of(port);
  }

  private @Nullable Integer firstFree(int from, List<PortRange> allowed) {
    for (PortRange ports : allowed) {
      Integer port = free.ceiling(Math.max(from, ports.first()));
      if (port != null && port <= ports.last()) {
        return port;
      }
    }
    return null;
  }

  /// Gives back what was taken.
  void giveBack(int port) {
    if (range.contains(port)) {
      free.add(port);
    }
  }
}
