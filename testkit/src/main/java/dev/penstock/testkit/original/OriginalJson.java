package dev.penstock.testkit.original;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// JSON text as Go's encoder writes it, and the original's rules for what it takes.
final class OriginalJson {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private OriginalJson() {}

  /// One received message.
  ///
  /// @param requestId `""` when there was none
  record Envelope(String type, String requestId, JsonNode payload) {
    /// A text of the payload, `""` when there is none of this name.
    String text(String name) {
      return payload.path(name).asText("");
    }

    /// A number of the payload; one that was sent as a text is ignored.
    int number(String name, int otherwise) {
      JsonNode value = payload.path(name);
      return value.isNumber() ? value.intValue() : otherwise;
    }
  }

  /// A message with a time stamp; the keys of the payload, and of every object in it, are sorted.
  ///
  /// @param requestId left out when empty
  static String encode(String type, String requestId, Map<String, ?> payload) {
    ObjectNode envelope = JsonNodeFactory.instance.objectNode().put("type", type);
    if (!requestId.isEmpty()) {
      envelope.put("request_id", requestId);
    }
    envelope.set("payload", tree(payload));
    return write(envelope.put("timestamp", Instant.now().toString())) + "\n";
  }

  /// An object without an envelope, as REST bodies are: fields in the order given.
  static String body(Map<String, ?> fields) {
    return write(MAPPER.valueToTree(fields));
  }

  static JsonNode read(String text) throws JsonProcessingException {
    JsonNode node = MAPPER.readTree(text);
    return node == null ? JsonNodeFactory.instance.missingNode() : node;
  }

  /// Reads a message; null when the original drops it with no more than a line in its log.
  static @Nullable Envelope decode(String text) {
    try {
      JsonNode node = read(text);
      JsonNode payload = node.path("payload");
      boolean taken =
          node.isObject()
              && (payload.isObject() || payload.isNull() || payload.isMissingNode())
              && isTimestamp(node.path("timestamp"));
      return taken
          ? new Envelope(node.path("type").asText(""), node.path("request_id").asText(""), payload)
          : null;
    } catch (JsonProcessingException e) {
      return null;
    }
  }

  private static boolean isTimestamp(JsonNode value) {
    if (value.isNull() || value.isMissingNode()) {
      return true;
    }
    if (!value.isTextual()) {
      return false;
    }
    try {
      OffsetDateTime.parse(value.textValue());
      return true;
    } catch (DateTimeParseException e) {
      return false;
    }
  }

  private static JsonNode tree(Object value) {
    if (value instanceof Map<?, ?> map) {
      var sorted = new TreeMap<String, Object>();
      map.forEach((key, inner) -> sorted.put(String.valueOf(key), inner));
      ObjectNode node = JsonNodeFactory.instance.objectNode();
      sorted.forEach((key, inner) -> node.set(key, tree(inner)));
      return node;
    }
    return MAPPER.valueToTree(value);
  }

  /// `<`, `>` and `&` stand in texts only, so they can be replaced in the result.
  private static String write(JsonNode node) {
    return node.toString().replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026");
  }
}
