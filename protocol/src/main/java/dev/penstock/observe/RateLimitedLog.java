package dev.penstock.observe;

import static java.util.Objects.requireNonNull;

import java.util.EnumMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.slf4j.spi.LoggingEventBuilder;
import org.slf4j.spi.NOPLoggingEventBuilder;

/// Lets each kind of event into the log only so many times a minute, so that bad peers cannot fill
/// it. The first event let through after some were left out says how many, as `suppressed`.
///
/// ```java
/// refusals.at(Refusal.BAD_HEADER, LOG.atWarn()).addKeyValue("linkId", id).log("Refused a stream");
/// ```
///
/// Thread-safe. Kinds are the constants of an enum, so that their number is bounded.
public final class RateLimitedLog<K extends Enum<K>> {
  private final LongSupplier nanoTime;
  private final Map<K, Window> windows;

  /// @param perMinute events of one kind let through per minute, at least 1
  public RateLimitedLog(Class<K> kinds, int perMinute) {
    this(kinds, perMinute, System::nanoTime);
  }

  RateLimitedLog(Class<K> kinds, int perMinute, LongSupplier nanoTime) {
    if (perMinute < 1) {
      throw new IllegalArgumentException("perMinute: " + perMinute + " (expected: at least 1)");
    }
    this.nanoTime = nanoTime;
    windows = new EnumMap<>(kinds);
    for (K kind : kinds.getEnumConstants()) {
      windows.put(kind, new Window(perMinute));
    }
  }

  /// The given event, or one that goes nowhere when the kind had its share of this minute.
  public LoggingEventBuilder at(K kind, LoggingEventBuilder event) {
    OptionalLong suppressed = requireNonNull(windows.get(kind)).admit(nanoTime.getAsLong());
    if (suppressed.isEmpty()) {
      return NOPLoggingEventBuilder.singleton();
    }
    return suppressed.getAsLong() == 0
        ? event
        : event.addKeyValue("suppressed", suppressed.getAsLong());
  }

  /// The minute that one kind is in. It begins with an event, not with the clock's minute.
  static final class Window {
    private static final long MINUTE = TimeUnit.MINUTES.toNanos(1);

    private final int perMinute;
    private long startedAt;
    private int admitted;
    private long suppressed;

    Window(int perMinute) {
      this.perMinute = perMinute;
    }

    /// Whether an event at this moment is let through: empty if not, else how many before it were
    /// not.
    ///
    /// @param nowNanos a monotonic clock
    synchronized OptionalLong admit(long nowNanos) {
      if (admitted == 0 || nowNanos - startedAt >= MINUTE) {
        startedAt = nowNanos;
        admitted = 0;
      }
      if (admitted == perMinute) {
        suppressed++;
        return OptionalLong.empty();
      }
      admitted++;
      long left = suppressed;
      suppressed = 0;
      return OptionalLong.of(left);
    }
  }
}
