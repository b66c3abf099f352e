package dev.penstock.node;

import java.util.concurrent.atomic.AtomicInteger;

/// A bound on how many of something there are at a time. Safe for use by several threads.
public final class Admission {
  private final int limit;
  private final AtomicInteger inside = new AtomicInteger();

  /// @param limit places in all
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

  /// Places taken now.
  public int inside() {
    return inside.get();
  }

  /// Places in all.
  public int limit() {
    return limit;
  }
}
