package dev.penstock.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// The two variables that `logback.xml` reads. It cannot refuse anything: with a format that it
/// does not know it writes nothing, with such a level everything.
final class LogVariables {
  private static final Map<String, List<String>> ALLOWED =
      Map.of(
          "PENSTOCK_LOG_FORMAT", List.of("text", "json"),
          "PENSTOCK_LOG_LEVEL", List.of("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"));

  private LogVariables() {}

  /// One line for each that cannot be used.
  static List<String> problems(Map<String, String> environment) {
    var problems = new ArrayList<String>();
    ALLOWED.forEach((variable, words) -> {
      String found = environment.get(variable);
      // Levels may be written in any case, formats are parts of a file's name.
      if (found != null
          && !words.contains(variable.endsWith("LEVEL") ? found.toUpperCase(Locale.ROOT) : found)) {
        problems.add(
            variable
                + ": found \""
                + found
                + "\" (expected: "
                + String.join(" or ", words)
                + ", or the variable unset)");
      }
    });
    return problems;
  }
}
