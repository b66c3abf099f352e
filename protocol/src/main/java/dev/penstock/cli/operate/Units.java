package dev.penstock.cli.operate;

import java.time.Duration;
import java.util.Locale;

/// Numbers for people.
final class Units {
  private static final String[] SIZES = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

  private Units() {}

  /// Three digits or so and a unit: `1.3 MiB`.
  static String bytes(long count) {
    double rest = count;
    int unit = 0;
    while (rest >= 1000 && unit < SIZES.length - 1) {
      rest /= 1024;
      unit++;
    }
    return (unit == 0 || rest >= 100
            ? Long.toString(Math.round(rest))
            : String.format(Locale.ROOT, "%.1f", rest))
        + " "
        + SIZES[unit];
  }

  /// Bytes per second; `-` for none.
  static String rate(long bytesPerSecond) {
    return bytesPerSecond == 0 ? "-" : bytes(bytesPerSecond) + "/s";
  }

  /// Two units at most: `2h14m`.
  static String age(Duration age) {
    long seconds = Math.max(0, age.toSeconds());
    if (seconds < 60) {
      return seconds + "s";
    }
    if (seconds < 3600) {
      return seconds / 60 + "m" + seconds % 60 + "s";
    }
    if (seconds < 86_400) {
      return seconds / 3600 + "h" + seconds % 3600 / 60 + "m";
    }
    return seconds / 86_400 + "d" + seconds % 86_400 / 3600 + "h";
  }
}
