package dev.penstock.gateway.relay;

import java.time.Duration;
import java.util.random.RandomGenerator;

/// How long a link that did not come up is left alone: doubling from [#SHORTEST] to [#LONGEST] with
/// every failure in a row, give or take a quarter, so that the nodes do not call in step. Pure.
final class RelayRest {
  static final Duration SHORTEST = Duration.ofMillis(200);
  static final Duration LONGEST = Duration.ofSeconds(10);

  private RelayRest() {}

  /// @param failures in a row, at least 1
  static Duration after(int failures, RandomGenerator random) {
    long full = Math.min(LONGEST.toNanos(), SHORTEST.toNanos() << Math.min(failures - 1, 20));
    return Duration.ofNanos(full * 3 / 4 + random.nextLong(full / 2 + 1));
  }
}
