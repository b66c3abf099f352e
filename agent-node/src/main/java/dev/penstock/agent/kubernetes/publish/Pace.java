package dev.penstock.agent.kubernetes.publish;

/// So many in a second in the long run, and so many at once. Not thread-safe; time is an argument.
final class Pace {
  private static final double NANOS = 1e9;

  private final double perSecond;
  private final double atOnce;
  private double left;
  private long lastAt;

  Pace(double perSecond, double atOnce, long now) {
    this.perSecond = perSecond;
    this.atOnce = atOnce;
    this.left = atOnce;
    this.lastAt = now;
  }

  /// Takes one, or tells that it is too early.
  boolean take(long now) {
    left = Math.min(atOnce, left + (now - lastAt) / NANOS * perSecond);
    lastAt = now;
    if (left < 1) {
      return false;
    }
    left--;
    return true;
  }

  /// Nanoseconds until the next one may be taken.
  long waitNanos() {
    return (long) Math.max(0, (1 - left) / perSecond * NANOS);
  }
}
