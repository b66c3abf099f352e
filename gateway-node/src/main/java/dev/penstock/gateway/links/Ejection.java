package dev.penstock.gateway.links;

import java.time.Duration;

/// Whether something that failed in a row is left out for a while: after [#TOLERATED] failures for
/// [#SHORTEST], then one failure is enough for twice as long as the last time, up to [#LONGEST]. A
/// success forgets it all. Pure, immutable.
///
/// ```
/// in --failure (5th in a row)--> out --time--> on trial --failure--> out, for longer
///  ^                                              |
///  +-------------------success--------------------+
/// ```
///
/// @param failures in a row
/// @param times how often it was left out since the last success
/// @param until when it is on trial again, in nanoseconds of a monotonic clock; of no meaning while
///   `times` is 0
record Ejection(int failures, int times, long until) {
  static final int TOLERATED = 5;
  static final Duration SHORTEST = Duration.ofSeconds(5);
  static final Duration LONGEST = Duration.ofSeconds(60);

  /// Nothing has failed.
  static final Ejection NONE = new Ejection(0, 0, 0);

  Ejection failed(long now) {
    if (isOut(now)) {
      // A stream from before it was left out, or one that had no other way.
      return this;
    }
    int inARow = Math.min(failures + 1, TOLERATED);
    if (times == 0 && inARow < TOLERATED) {
      return new Ejection(inARow, 0, 0);
    }
    long length = Math.min(SHORTEST.toNanos() << Math.min(times, 10), LONGEST.toNanos());
    return new Ejection(inARow, times + 1, now + length);
  }

  boolean isOut(long now) {
    return times > 0 && now - until < 0;
  }
}
