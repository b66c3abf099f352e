package dev.penstock.config;

/// A value given outside of the file, by an environment variable or an option; it wins over the
/// file's.
///
/// @param key the whole key, such as `pipeops.api_url`
/// @param source the variable's or the option's name, shown in problems
public record Outside(String key, String source, String text) {
  /// The text may be a secret.
  @Override
  public String toString() {
    return "Outside[" + key + " from " + source + "]";
  }
}
