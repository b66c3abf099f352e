package dev.penstock.config;

import org.jspecify.annotations.Nullable;

/// One key of a file, as the code that reads it defines it.
///
/// @param key entries of lists written as `gateway.auth.tokens[].token`
/// @param byDefault what holds when nothing says the key
/// @param values which there can be, in the words of the problem with any other
/// @param within the optional section that the key is of; null where the section is always there
public record Definition(String key, Default byDefault, String values, @Nullable String within) {
  /// What holds when nothing says the key.
  public sealed interface Default {
    /// The key must be said.
    record Required() implements Default {}

    /// Nothing: what the key is for is not done.
    record None() implements Default {}

    /// This value, as a file would say it.
    record Value(String text) implements Default {}

    /// The value of another key.
    record As(String key) implements Default {}

    /// A value that is found out at the start; `from` says in words from what.
    record Derived(String from) implements Default {}
  }

  Definition required() {
    return new Definition(key, new Default.Required(), values, within);
  }
}
