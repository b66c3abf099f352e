package dev.penstock.config;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Durations and byte sizes as people write them: `500ms`, `30s`, `1h30m`, `16MiB`.
public final class Units {
  private static final Pattern PART = Pattern.compile("([0-9]{1,9})\\s*(ms|s|m|h)");
  private static final List<String> DURATION_UNITS = List.of("h", "m", "s", "ms");
  private static final Pattern BYTES = Pattern.compile("([0-9]{1,15})\\s*(B|KiB|MiB|GiB)?");

  private Units() {}

  /// Parts from hours down to milliseconds, none twice: `1h30m`.
  public static Optional<Duration> duration(String text) {
    Matcher part = PART.matcher(text);
    Duration sum = Duration.ZERO;
    int unit = -1;
    int end = 0;
    while (end < text.length()) {
      if (!part.find(end) || part.start() != end) {
        return Optional.empty();
      }
      int of = DURATION_UNITS.indexOf(part.group(2));
      if (of <= unit) {
        return Optional.empty();
      }
      unit = of;
      end = part.end();
      long number = Long.parseLong(part.group(1));
      sum =
          sum.plus(
              switch (part.group(2)) {
                case "ms" -> Duration.ofMillis(number);
                case "s" -> Duration.ofSeconds(number);
                case "m" -> Duration.ofMinutes(number);
                default -> Duration.ofHours(number);
              });
    }
    return end == 0 ? Optional.empty() : Optional.of(sum);
  }

  static Optional<Long> bytes(String text) {
    Matcher matcher = BYTES.matcher(text);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    long number = Long.parseLong(matcher.group(1));
    String unit = matcher.group(2) == null ? "B" : matcher.group(2);
    int shift =
        switch (unit) {
          case "KiB" -> 10;
          case "MiB" -> 20;
          case "GiB" -> 30;
          default -> 0;
        };
    return number > Long.MAX_VALUE >> shift ? Optional.empty() : Optional.of(number << shift);
  }

  /// As [#duration] reads it: `1h30m`, or `0s` for none.
  static String show(Duration duration) {
    if (duration.toMillis() == 0) {
      return "0s";
    }
    return part(duration.toHours(), "h")
        + part(duration.toMinutesPart(), "m")
        + part(duration.toSecondsPart(), "s")
        + part(duration.toMillisPart(), "ms");
  }

  private static String part(long number, String unit) {
    return number == 0 ? "" : number + unit;
  }

  static String show(long bytes) {
    if (bytes > 0 && bytes % (1 << 30) == 0) {
      return (bytes >> 30) + "GiB";
    }
    if (bytes > 0 && bytes % (1 << 20) == 0) {
      return (bytes >> 20) + "MiB";
    }
    return bytes > 0 && bytes % 1024 == 0 ? (bytes >> 10) + "KiB" : bytes + "B";
  }
}
