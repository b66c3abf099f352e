package dev.penstock.observe;

import dev.penstock.config.Kind;
import dev.penstock.config.Section;

/// What is logged beside events; format and level of all lines are variables, because they count
/// before a file is read.
///
/// @param access `logging.access`: whether every connection and every flow has a line when it is
///   over; default true
/// @param accessPerSecond `logging.access_per_second`: such lines in a second, 1 to 1000000;
///   default 1000
public record LoggingSettings(boolean access, int accessPerSecond) {
  public static LoggingSettings of(Section section) {
    return new LoggingSettings(
        section.get("access", Kind.flag(), true),
        section.get("access_per_second", Kind.integer(1, 1_000_000), 1000));
  }

  public static LoggingSettings defaults() {
    return new LoggingSettings(true, 1000);
  }
}
