package dev.penstock.agent.kubernetes.objects;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Optional;
import java.util.OptionalInt;

/// What a route wants to attach to, as it is written.
///
/// @param namespace the route's own when empty
/// @param sectionName the listener's name
/// @param port the listener's port
public record ParentRef(
    String group,
    String kind,
    Optional<String> namespace,
    String name,
    Optional<String> sectionName,
    OptionalInt port) {
  /// Whether it names a Gateway.
  public boolean isGateway() {
    return group.equals(Kind.GATEWAY.group()) && kind.equals(Kind.GATEWAY.label());
  }

  /// The Gateway that a route of `routeNamespace` means.
  public ObjectRef gateway(String routeNamespace) {
    return new ObjectRef(Kind.GATEWAY, namespace.orElse(routeNamespace), name);
  }

  /// Whether both mean the same when a route of `routeNamespace` has them.
  public boolean isSame(ParentRef other, String routeNamespace) {
    return group.equals(other.group)
        && kind.equals(other.kind)
        && namespace.orElse(routeNamespace).equals(other.namespace.orElse(routeNamespace))
        && name.equals(other.name)
        && sectionName.equals(other.sectionName)
        && port.equals(other.port);
  }

  /// The reference as the API has it.
  public ObjectNode toJson() {
    ObjectNode node = JsonNodeFactory.instance.objectNode().put("group", group).put("kind", kind);
    namespace.ifPresent(text -> node.put("namespace", text));
    node.put("name", name);
    sectionName.ifPresent(text -> node.put("sectionName", text));
    port.ifPresent(number -> node.put("port", number));
    return node;
  }

  static ParentRef of(Fields fields) throws Malformed {
    return new ParentRef(
        fields.optionalText("group").orElse(Kind.GATEWAY.group()),
        fields.optionalText("kind").orElse(Kind.GATEWAY.label()),
        fields.optionalText("namespace").filter(text -> !text.isEmpty()),
        fields.requiredText("name"),
        fields.optionalText("sectionName").filter(text -> !text.isEmpty()),
        fields.optionalPort("port"));
  }
}
