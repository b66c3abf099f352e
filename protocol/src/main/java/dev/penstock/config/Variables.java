package dev.penstock.config;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;

/// Environment variables as settings. Each key has one: `PENSTOCK_` and the key in upper case, with
/// `_` for what is neither letter nor digit, such as `PENSTOCK_GATEWAY_PUBLIC_HOST` and
/// `PENSTOCK_GATEWAY_AUTH_TOKENS_0_TOKEN`. A variable with nothing in it counts as unset, as shells
/// make them. Immutable.
public final class Variables {
  private static final String PREFIX = "PENSTOCK_";
  private static final Pattern NO_PART_OF_A_NAME = Pattern.compile("[^A-Z0-9]+");

  private final TreeMap<String, String> environment = new TreeMap<>();
  private final Map<String, String> byKey = new HashMap<>();
  private final Set<String> plain;

  private Variables(Map<String, String> environment, Map<String, String> named, Set<String> plain) {
    environment.forEach((variable, text) -> {
      if (!text.isBlank()) {
        this.environment.put(variable, text);
      }
    });
    named.forEach((variable, key) -> byKey.put(key, variable));
    this.plain = Set.copyOf(plain);
  }

  /// Those with the prefix alone.
  public static Variables of(Map<String, String> environment) {
    return of(environment, Map.of(), Set.of());
  }

  /// Those with the prefix and, below them in rank, others that people know.
  ///
  /// @param named variables with a name of their own, each with the key that it sets
  /// @param plain first words of keys whose variables may come without the prefix
  public static Variables of(
      Map<String, String> environment, Map<String, String> named, Set<String> plain) {
    return new Variables(environment, named, plain);
  }

  /// The variable that sets this key.
  Optional<Outside> of(String key) {
    return known(PREFIX + name(key), key)
        .or(() -> Optional.ofNullable(byKey.get(key)).flatMap(named -> known(named, key)))
        .or(() ->
            plain.contains(key.replaceFirst("\\..*", ""))
                ? known(name(key), key)
                : Optional.empty());
  }

  /// Whether a variable with the prefix sets a key of this section.
  boolean anyBelow(String section) {
    String start = PREFIX + name(section) + "_";
    String first = environment.ceilingKey(start);
    return first != null && first.startsWith(start);
  }

  private Optional<Outside> known(String variable, String key) {
    return Optional.ofNullable(environment.get(variable))
        .map(text -> new Outside(key, variable, text));
  }

  private static String name(String key) {
    return NO_PART_OF_A_NAME.matcher(key.toUpperCase(Locale.ROOT)).replaceAll("_");
  }
}
