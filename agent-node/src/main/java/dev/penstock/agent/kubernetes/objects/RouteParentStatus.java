package dev.penstock.agent.kubernetes.objects;

import java.util.List;
import java.util.Optional;

/// What one controller wrote about a route at one parent.
///
/// @param parent empty when it cannot be read
/// @param controllerName whose entry it is; empty when it cannot be read
/// @param raw the entry as it came, so that a foreign one is written back as it was; missing for
///   one of ours
public record RouteParentStatus(
    Optional<ParentRef> parent, String controllerName, List<Condition> conditions, RawJson raw) {
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
      String controller = fields.text("controllerName");
      return new RouteParentStatus(
          Optional.of(ParentRef.of(fields.object("parentRef"))),
          controller,
          fields.list("conditions", Condition::of),
          controller.equals(GatewayClass.OUR_CONTROLLER) ? RawJson.MISSING : fields.raw());
    } catch (Malformed _) {
      return new RouteParentStatus(Optional.empty(), "", List.of(), fields.raw());
    }
  }
}
