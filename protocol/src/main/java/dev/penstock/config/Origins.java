package dev.penstock.config;

import java.util.Map;

/// Where each setting was written, for problems that show only when it is used: a port that is
/// taken. Immutable.
public final class Origins {
  private final String file;
  private final Map<String, String> written;

  /// @param file named for keys that were not written anywhere
  /// @param written whole key to the place: `gateway.yaml:2: gateway.listen`
  Origins(String file, Map<String, String> written) {
    this.file = file;
    this.written = Map.copyOf(written);
  }

  /// The problem with a value that was acceptable by itself.
  ///
  /// @param key the whole key, such as `gateway.listen`
  public ConfigException refuse(String key, Object found, String expected) {
    String place = written.get(key);
    return new ConfigException(
        place != null
            ? place + ": found \"" + found + "\" (expected: " + expected + ")"
            : file
                + ": "
                + key
                + ": found the default \""
                + found
                + "\" (expected: "
                + expected
                + ")");
  }
}
