package dev.penstock.config;

import java.util.List;

/// The configuration cannot be used; the fault is the operator's. Holds every problem that was
/// found, one line of text each, in the order of the file.
public final class ConfigException extends RuntimeException {
  private final List<String> problems;

  /// @param problems at least one, each such as `gateway.yaml:7: gateway.public.ports: found "abc"
  ///   (expected: a range such as 10000-35000)`
  public ConfigException(List<String> problems) {
    super(String.join("\n", problems));
    this.problems = List.copyOf(problems);
    if (problems.isEmpty()) {
      throw new IllegalArgumentException("problems: none (expected: at least one)");
    }
  }

  public ConfigException(String problem) {
    this(List.of(problem));
  }

  public List<String> problems() {
    return problems;
  }
}
