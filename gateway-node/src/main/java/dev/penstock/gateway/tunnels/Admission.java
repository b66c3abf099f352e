package dev.penstock.gateway.tunnels;

import java.util.concurrent.atomic.AtomicInteger;

/// The bound on clients' connections of the whole gateway. Safe for use by several threads.
public final class Admission {
  private final int limit;
  private final AtomicInteger inside = new AtomicInteger();

  /// @param limit connections at a time
  public Admission(int limit) {
    this.limit = limit;
  }

  /// Takes a place, or tells that there is none.
  public boolean enter() {
    if (inside.incrementAndGet() > limit) {
      inside.decrementAndGet();
      return false;
    }
    return true;
  }

  /// Gives a place back.
  public void leave() {
    inside.decrementAndGet();
  }
}
