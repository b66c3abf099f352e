package dev.penstock.gateway.sources;

/// A token bucket that holds the tokens of one second, in one number: the moment at which it is
/// full again (the generic cell rate algorithm, ITU-T I.371 appendix A). Immutable.
///
/// @param fullAt nanoseconds of the caller's monotonic clock; in the past for a full bucket
record Pace(long fullAt) {
  private static final long SECOND = 1_000_000_000;

  /// A full bucket.
  static Pace full(long nowNanos) {
    return new Pace(nowNanos);
  }

  boolean isFull(long nowNanos) {
    return fullAt - nowNanos <= 0;
  }

  /// Whether a token is left.
  ///
  /// @param perSecond tokens that come in a second, and the most that wait; at least 1
  boolean hasToken(long nowNanos, int perSecond) {
    return fullAt - nowNanos <= SECOND - SECOND / perSecond;
  }

  /// The bucket with one token less.
  Pace taken(long nowNanos, int perSecond) {
    return new Pace((isFull(nowNanos) ? nowNanos : fullAt) + SECOND / perSecond);
  }
}
