package dev.penstock.gateway.leases;

import dev.penstock.config.PortRange;
import java.util.OptionalInt;
import java.util.TreeSet;

/// The free ports of a range, for one transport. Every operation takes time logarithmic in the size
/// of the range; memory is about 64 bytes per free port. One owner.
final class PortAllocator {
  private static final int PREFERRED_OFFSET = 10_000;

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
  OptionalInt takeFor(int listenerPort) {
    Integer port = free.ceiling(PREFERRED_OFFSET + listenerPort);
    if (port == null) {
      port = free.isEmpty() ? null : free.first();
    }
    if (port == null) {
      return OptionalInt.empty();
    }
    free.remove(port);
    return OptionalInt.of(port);
  }

  /// Gives back what was taken.
  void giveBack(int port) {
    if (range.contains(port)) {
      free.add(port);
    }
  }
}
