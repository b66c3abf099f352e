package dev.penstock.agent.kubernetes.objects;

import dev.penstock.agent.kubernetes.objects.AllowedRoutes.RouteGroupKind;
import java.util.List;
import java.util.Optional;

/// What a Gateway's status says of one listener.
public record ListenerStatus(
    String name,
    List<RouteGroupKind> supportedKinds,
    int attachedRoutes,
    List<Condition> conditions) {
  public ListenerStatus {
    supportedKinds = List.copyOf(supportedKinds);
    conditions = List.copyOf(conditions);
  }

  /// The condition of this type.
  public Optional<Condition> condition(String type) {
    return conditions.stream().filter(one -> one.type().equals(type)).findFirst();
  }

  static ListenerStatus of(Fields fields) throws Malformed {
    return new ListenerStatus(
        fields.requiredText("name"),
        fields.list("supportedKinds", RouteGroupKind::of),
        (int) fields.number("attachedRoutes", 0, Integer.MAX_VALUE, 0),
        fields.list("conditions", Condition::of));
  }
}
