package dev.penstock.cli.operate;

import java.util.Locale;

/// How a command writes what it found.
enum Output {
  /// For people.
  TABLE,
  /// For scripts: what the API answered.
  JSON;

  static final String HELP =
      "table, for people, or json, for scripts; ${DEFAULT-VALUE} by default.";

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
