package dev.penstock.agent.kubernetes.objects;

import java.util.Optional;
import java.util.OptionalInt;

/// Where a rule sends its connections, as it is written.
///
/// @param group empty for the core
/// @param namespace the route's own when empty
/// @param weight 0 to 1,000,000: its share of the connections of its rule
public record BackendRef(
    String group,
    String kind,
    Optional<String> namespace,
    String name,
    OptionalInt port,
    int weight) {
  public static final int MAX_WEIGHT = 1_000_000;

  /// Whether it names a Service.
  public boolean isService() {
    return group.isEmpty() && kind.equals(Kind.SERVICE.label());
  }

  static BackendRef of(Fields fields) throws Malformed {
    return new BackendRef(
        fields.text("group"),
        fields.optionalText("kind").orElse(Kind.SERVICE.label()),
        fields.optionalText("namespace").filter(text -> !text.isEmpty()),
        fields.requiredText("name"),
        fields.optionalPort("port"),
        (int) fields.number("weight", 0, MAX_WEIGHT, 1));
  }
}
