package dev.penstock.observe;

import java.util.OptionalLong;

/// Lets so many of one kind of event through in a minute. Safe for use by several threads.
public final class EventPace {
  private final RateLimitedLog.Window window;

  /// @param perMinute at least 1
  public EventPace(int perMinute) {
    window = new RateLimitedLog.Window(perMinute);
  }

  /// Whether an event at this moment is let through.
  ///
  /// @param nowNanos a monotonic clock
  /// @return how many before it were not since the last one that was; negative when it is not
  ///   either
  public long admit(long nowNanos) {
    OptionalLong suppressed = window.admit(nowNanos);
    return suppressed.orElse(-1);
  }
}
