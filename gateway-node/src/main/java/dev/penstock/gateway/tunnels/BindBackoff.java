package dev.penstock.gateway.tunnels;

import java.time.Duration;

/// When to try again to bind a port that another program has: soon at first, every half a minute in
/// the end.
final class BindBackoff {
  private static final Duration FIRST = Duration.ofMillis(250);
  private static final Duration LAST = Duration.ofSeconds(30);

  private BindBackoff() {}

  /// The wait after so many failures in a row, at least one.
  static Duration after(int failures) {
    Duration wait = FIRST.multipliedBy(1L << Math.min(failures - 1, 16));
    return wait.compareTo(LAST) < 0 ? wait : LAST;
  }
}
