package dev.penstock.config;

import org.jspecify.annotations.Nullable;

/// One setting as it is in force, and why.
///
/// @param key the whole key, such as `gateway.auth.tokens[0].cluster`
/// @param text the value as YAML, a secret as `***`; null when nothing says it and there is no
///   default
/// @param origin where it was said: `gateway.yaml:7`, a variable's or an option's name, `default`,
///   or the key that it is taken from
public record Fact(String key, @Nullable String text, String origin) {
  static final String DEFAULT = "default";
  static final String NOT_SET = "not set";
}
