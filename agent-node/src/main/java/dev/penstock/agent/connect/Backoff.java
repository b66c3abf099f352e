package dev.penstock.agent.connect;

import java.time.Duration;
import java.util.random.RandomGenerator;

/// How long to wait before the next try to connect, with full jitter: any time from 0 up to a cap,
/// so that agents which lost one gateway together do not return together.
///
/// The cap is half of the time since there was success, within bounds. The outage so grows by a
/// quarter on average and by a half at most with each wait: over time the waits grow exponentially,
/// like doubling ones do, but after a short outage the next try comes within half of its length,
/// and no agent stays away much longer than its gateway did. Pure, immutable; safe for several
/// threads when the random generator is.
///
/// @param min least cap, so that a gateway just gone is not hammered
/// @param max greatest cap
public record Backoff(Duration min, Duration max) {
  public Backoff {
    if (min.isNegative() || min.isZero() || max.compareTo(min) < 0) {
      throw new IllegalArgumentException(
          "min: " + min + " (expected: above 0, at most " + max + ")");
    }
  }

  /// Caps from 500 ms to 60 s.
  public static Backoff standard() {
    return new Backoff(Duration.ofMillis(500), Duration.ofSeconds(60));
  }

  /// The wait before the next try.
  ///
  /// @param outage time since there was success, or since the start; at least 0
  /// @param retryAfter what the gateway asked for, 0 when it did not; the jitter then comes on top,
  ///   so that those who were asked alike do not return together
  public Duration delay(Duration outage, Duration retryAfter, RandomGenerator random) {
    if (outage.isNegative() || retryAfter.isNegative()) {
      throw new IllegalArgumentException(
          "outage: " + outage + ", retryAfter: " + retryAfter + " (expected: at least 0)");
    }
    long jitter = random.nextLong(cap(outage).toNanos() + 1);
    return retryAfter.plusNanos(jitter);
  }

  /// The longest wait that follows such an outage, retry-after aside.
  public Duration cap(Duration outage) {
    Duration half = outage.dividedBy(2);
    if (half.compareTo(min) < 0) {
      return min;
    }
    return half.compareTo(max) > 0 ? max : half;
  }
}
