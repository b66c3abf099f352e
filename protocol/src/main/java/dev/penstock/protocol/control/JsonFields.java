package dev.penstock.protocol.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The fields of one received JSON object, read with their types checked. A field that is absent or
/// `null` has its default; one of the wrong type is the peer's fault.
final class JsonFields {
  private final String prefix;
  private final ObjectNode node;

  JsonFields(String prefix, ObjectNode node) {
    this.prefix = prefix;
    this.node = node;
  }

  /// A text, `""` when absent.
  String text(String name, int maxLength) throws MalformedMessage {
    JsonNode value = present(name);
    if (value == null) {
      return "";
    }
    String expected = "a text of at most " + maxLength + " characters";
    if (!value.isTextual()) {
      throw malformed(name, describe(value), expected);
    }
    String text = value.textValue();
    if (text.length() > maxLength) {
      throw malformed(name, text.length() + " characters", expected);
    }
    return text;
  }

  /// A text that is present and not empty.
  String requiredText(String name, int maxLength) throws MalformedMessage {
    String text = text(name, maxLength);
    if (text.isEmpty()) {
      throw malformed(name, missing(name), "a text of 1 to " + maxLength + " characters");
    }
    return text;
  }

  /// A text that matches as a whole; `expected` says in words what matches.
  String matchingText(String name, int maxLength, Pattern allowed, String expected)
      throws MalformedMessage {
    String text = text(name, maxLength);
    if (!allowed.matcher(text).matches()) {
      throw malformed(name, present(name) == null ? missing(name) : '"' + text + '"', expected);
    }
    return text;
  }

  /// A text, or a number in its JSON form; `""` when absent.
  String textOrNumber(String name, int maxLength) throws MalformedMessage {
    JsonNode value = present(name);
    return value != null && value.isNumber() ? value.asText() : text(name, maxLength);
  }

  /// A whole number within the bounds, `null` when absent.
  @Nullable Long number(String name, long min, long max) throws MalformedMessage {
    JsonNode value = present(name);
    if (value == null) {
      return null;
    }
    if (!value.isNumber()
        || !value.canConvertToLong()
        || !value.canConvertToExactIntegral()
        || value.longValue() < min
        || value.longValue() > max) {
      throw malformed(name, describe(value), range(min, max));
    }
    return value.longValue();
  }

  long number(String name, long min, long max, long whenAbsent) throws MalformedMessage {
    Long value = number(name, min, max);
    return value == null ? whenAbsent : value;
  }

  long requiredNumber(String name, long min, long max) throws MalformedMessage {
    Long value = number(name, min, max);
    if (value == null) {
      throw malformed(name, missing(name), range(min, max));
    }
    return value;
  }

  /// True or false, false when absent.
  boolean flag(String name) throws MalformedMessage {
    JsonNode value = present(name);
    if (value == null) {
      return false;
    }
    if (!value.isBoolean()) {
      throw malformed(name, describe(value), "true or false");
    }
    return value.booleanValue();
  }

  /// An object, empty when absent.
  JsonFields object(String name) throws MalformedMessage {
    return new JsonFields(path(name) + ".", objectNode(name));
  }

  /// An object whose values are all texts, in the order received.
  Map<String, String> texts(String name) throws MalformedMessage {
    Map<String, String> entries = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> entry : objectNode(name).properties()) {
      if (!entry.getValue().isTextual()) {
        throw MalformedMessage.ofEntry(
            path(name), entry.getKey(), describe(entry.getValue()), "a text");
      }
      entries.put(entry.getKey(), entry.getValue().textValue());
    }
    return entries;
  }

  /// The names in an object whose value is `true`.
  Set<String> trueFlags(String name) throws MalformedMessage {
    Set<String> names = new LinkedHashSet<>();
    for (Map.Entry<String, JsonNode> entry : objectNode(name).properties()) {
      if (entry.getValue().isBoolean() && entry.getValue().booleanValue()) {
        names.add(entry.getKey());
      }
    }
    return names;
  }

  /// The members of an array of texts, in the order received.
  Set<String> textSet(String name) throws MalformedMessage {
    JsonNode value = present(name);
    Set<String> members = new LinkedHashSet<>();
    if (value == null) {
      return members;
    }
    if (!value.isArray()) {
      throw malformed(name, describe(value), "an array of texts");
    }
    for (JsonNode member : value) {
      if (!member.isTextual()) {
        throw malformed(name, describe(member) + " among its members", "an array of texts");
      }
      members.add(member.textValue());
    }
    return members;
  }

  MalformedMessage malformed(String name, String found, String expected) {
    return MalformedMessage.of(path(name), found, expected);
  }

  /// What a value is, in few words; a text or a number as it stands.
  static String describe(@Nullable JsonNode value) {
    if (value == null) {
      return "missing";
    }
    return switch (value.getNodeType()) {
      case ARRAY -> "an array";
      case OBJECT, POJO -> "an object";
      case STRING -> '"' + value.textValue() + '"';
      case NUMBER, BOOLEAN -> value.asText();
      case NULL -> "null";
      case BINARY, MISSING -> "missing";
    };
  }

  private ObjectNode objectNode(String name) throws MalformedMessage {
    JsonNode value = present(name);
    if (value == null) {
      return Json.object();
    }
    if (value instanceof ObjectNode object) {
      return object;
    }
    throw malformed(name, describe(value), "an object");
  }

  private @Nullable JsonNode present(String name) {
    JsonNode value = node.get(name);
    return value == null || value.isNull() ? null : value;
  }

  private String missing(String name) {
    return describe(node.get(name));
  }

  private String path(String name) {
    return prefix + name;
  }

  private static String range(long min, long max) {
    return max == Long.MAX_VALUE ? "a whole number from " + min : min + ".." + max;
  }
}
