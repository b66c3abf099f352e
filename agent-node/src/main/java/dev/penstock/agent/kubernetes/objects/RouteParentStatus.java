package dev.penstock.agent.kubernetes.objects;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Optional;

/// What one controller wrote about a route at one parent.
///
/// @param parent empty when it cannot be read
/// @param controllerName whose entry it is; empty when it cannot be read
/// @param raw the entry as it came, so that a foreign one is written back as it was. Not to be
///   changed
public record RouteParentStatus(
    Optional<ParentRef> parent, String controllerName, List<Condition> conditions, JsonNode raw) {
  public RouteParentStatus {
    conditions = List.copyOf(conditions);
  }

  /// The condition of this type.
  public Optional<Condition> condition(String type) {
    return conditions.stream().filter(one -> one.type().equals(type)).findFirst();
  }

  /// Never fails: what others write must not keep us from reading a route.
  static RouteParentStatus of(Fields fields) {
    try {
      return new RouteParentStatus(
          Optional.of(ParentRef.of(fields.object("parentRef"))),
          fields.text("controllerName"),
          fields.list("conditions", Condition::of),
          fields.json());
    } catch (Malformed _) {
      return new RouteParentStatus(Optional.empty(), "", List.of(), fields.json());
    }
  }
}
