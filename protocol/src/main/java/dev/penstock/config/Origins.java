package dev.penstock.config;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Where each setting was written, for problems that show only when it is used (a port that is
/// taken), and for who asks what is in force and why. Immutable.
public final class Origins {
  private final String file;
  private final Map<String, String> written;
  private final List<Fact> facts;

  /// @param file named for keys that were not written anywhere
  /// @param written whole key to the place: `gateway.yaml:2: gateway.listen`
  /// @param facts every key that was asked for, in that order
  Origins(String file, Map<String, String> written, List<Fact> facts) {
    this.file = file;
    this.written = Map.copyOf(written);
    this.facts = List.copyOf(facts);
  }

  /// Every setting that is in force, and those that could be set and are not.
  public List<Fact> facts() {
    return facts;
  }

  /// The facts as YAML that can be read again but for secrets, each value with a comment that says
  /// where it comes from.
  public String toYaml() {
    return EffectiveYaml.write(facts);
  }

  /// The problem with an address that cannot be listened at.
  ///
  /// @param key the whole key, such as `gateway.listen`
  /// @param said by the system
  public ConfigException refuseListen(String key, Object found, @Nullable String said) {
    return refuse(
        key, found, "an address of this machine with a free port; the system says: " + said);
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
