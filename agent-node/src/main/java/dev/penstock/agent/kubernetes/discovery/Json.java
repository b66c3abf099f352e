package dev.penstock.agent.kubernetes.discovery;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Comparator;

/// Statuses as JSON.
final class Json {
  /// Numbers are the same by their value: 1 is 1, whether it came as an int or as a long.
  private static final Comparator<JsonNode> BY_VALUE =
      (one, other) ->
          one.isNumber() && other.isNumber()
              ? one.decimalValue().compareTo(other.decimalValue())
              : one.equals(other) ? 0 : 1;

  private Json() {}

  static ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }

  /// A copy that may be changed; an empty object of what is none.
  static ObjectNode copy(JsonNode status) {
    return status instanceof ObjectNode object ? object.deepCopy() : object();
  }

  static boolean areSame(JsonNode one, JsonNode other) {
    return one.equals(BY_VALUE, other);
  }
}
