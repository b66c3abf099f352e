package dev.penstock.gateway.links;

import java.util.concurrent.atomic.AtomicReference;

/// How the dials over one link or to one node went lately. Safe for use by several threads.
public final class DialRecord {
  private final AtomicReference<Ejection> ejection = new AtomicReference<>(Ejection.NONE);

  /// Whether it should be taken while there are others.
  ///
  /// @param now nanoseconds of a monotonic clock
  public boolean isFit(long now) {
    return !ejection.get().isOut(now);
  }

  /// Forgets what failed.
  public void reached() {
    if (!ejection.get().equals(Ejection.NONE)) {
      ejection.set(Ejection.NONE);
    }
  }

  /// Counts a dial that failed.
  ///
  /// @param now nanoseconds of a monotonic clock
  public void failed(long now) {
    ejection.updateAndGet(before -> before.failed(now));
  }
}
