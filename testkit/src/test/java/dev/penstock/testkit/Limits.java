package dev.penstock.testkit;

import java.time.Duration;

/// How much slower a shared CI machine may be than the limits that the tests state.
final class Limits {
  private static final int CI_FACTOR = 5;

  private Limits() {}

  /// Whether this is CI, where nothing may be skipped for want of a program.
  static boolean isCi() {
    return "true".equals(System.getenv("CI"));
  }

  /// `limit` here, five times of it in CI.
  static Duration time(Duration limit) {
    return isCi() ? limit.multipliedBy(CI_FACTOR) : limit;
  }
}
