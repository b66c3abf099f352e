package dev.penstock.agent.kubernetes.objects;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/// The fields of one JSON object, read with their types checked; an error names the path. A field
/// that is absent or `null` has its default.
final class Fields {
  /// Characters of a value that are told in an error.
  private static final int MAX_TOLD = 64;

  /// Entries of one list. The API server takes at most 1.5 MiB per object.
  private static final int MAX_ENTRIES = 4096;

  private final String path;
  private final JsonNode node;

  private Fields(String path, JsonNode node) {
    this.path = path;
    this.node = node;
  }

  /// Reads an object.
  ///
  /// @param path empty for the outermost
  static Fields of(String path, JsonNode node) throws Malformed {
    if (!node.isObject() && !node.isMissingNode() && !node.isNull()) {
      throw malformed(path.isEmpty() ? "object" : path, node, "an object");
    }
    return new Fields(path, node);
  }

  /// Reads one entry of a list.
  @FunctionalInterface
  interface Entry<T> {
    T read(Fields fields) throws Malformed;
  }

  boolean has(String name) {
    return node.hasNonNull(name);
  }

  /// The JSON itself, for what is kept as it came.
  JsonNode json() {
    return node;
  }

  /// The same, to be kept.
  RawJson raw() {
    return RawJson.of(node);
  }

  /// The same without these fields, which are read already; missing when nothing is left.
  RawJson rawBut(String... names) {
    if (!(node instanceof ObjectNode object)) {
      return RawJson.of(node);
    }
    ObjectNode rest = object.objectNode();
    rest.setAll(object);
    rest.remove(List.of(names));
    return RawJson.of(rest.isEmpty() ? MissingNode.getInstance() : rest);
  }

  /// An object; one without fields when it is absent.
  Fields object(String name) throws Malformed {
    return of(path(name), node.path(name));
  }

  String text(String name) throws Malformed {
    return optionalText(name).orElse("");
  }

  Optional<String> optionalText(String name) throws Malformed {
    return present(name).isMissingNode()
        ? Optional.empty()
        : Optional.of(SharedTexts.share(uniqueText(name)));
  }

  /// A text that no other object has.
  String uniqueText(String name) throws Malformed {
    JsonNode value = present(name);
    if (!value.isTextual() && !value.isMissingNode()) {
      throw malformed(path(name), value, "a text");
    }
    return value.asText();
  }

  String requiredText(String name) throws Malformed {
    String text = text(name);
    if (text.isEmpty()) {
      throw malformed(path(name), present(name), "a text that is not empty");
    }
    return text;
  }

  long number(String name, long min, long max, long otherwise) throws Malformed {
    JsonNode value = present(name);
    if (value.isMissingNode()) {
      return otherwise;
    }
    if (!value.isIntegralNumber()
        || !value.canConvertToLong()
        || value.longValue() < min
        || value.longValue() > max) {
      throw malformed(path(name), value, "a whole number from " + min + " to " + max);
    }
    return value.longValue();
  }

  /// Any whole number that fits: whether it is one of a port is for the reader to decide.
  int port(String name) throws Malformed {
    return (int) number(name, Integer.MIN_VALUE, Integer.MAX_VALUE, 0);
  }

  OptionalInt optionalPort(String name) throws Malformed {
    return has(name) ? OptionalInt.of(port(name)) : OptionalInt.empty();
  }

  Optional<Boolean> flag(String name) throws Malformed {
    JsonNode value = present(name);
    if (value.isMissingNode()) {
      return Optional.empty();
    }
    if (!value.isBoolean()) {
      throw malformed(path(name), value, "true or false");
    }
    return Optional.of(value.booleanValue());
  }

  /// A time; [Instant#EPOCH] when absent.
  Instant instant(String name) throws Malformed {
    String text = text(name);
    if (text.isEmpty()) {
      return Instant.EPOCH;
    }
    try {
      return OffsetDateTime.parse(text).toInstant();
    } catch (DateTimeParseException _) {
      throw malformed(path(name), present(name), "a time such as 2026-01-31T12:00:00Z");
    }
  }

  Map<String, String> texts(String name) throws Malformed {
    Fields object = object(name);
    var texts = new LinkedHashMap<String, String>();
    for (Map.Entry<String, JsonNode> entry : object.node.properties()) {
      // `null` is what clients send for an empty text.
      texts.put(SharedTexts.share(entry.getKey()), object.text(entry.getKey()));
    }
    return texts;
  }

  List<String> textList(String name) throws Malformed {
    var texts = new ArrayList<String>();
    JsonNode list = array(name);
    for (int i = 0; i < list.size(); i++) {
      if (!list.get(i).isTextual()) {
        throw malformed(path(name) + "[" + i + "]", list.get(i), "a text");
      }
      texts.add(SharedTexts.share(list.get(i).textValue()));
    }
    return texts;
  }

  /// The entries of a list of objects; none when it is absent.
  <T> List<T> list(String name, Entry<T> entry) throws Malformed {
    var entries = new ArrayList<T>();
    JsonNode list = array(name);
    for (int i = 0; i < list.size(); i++) {
      String at = path(name) + "[" + i + "]";
      JsonNode value = list.get(i);
      if (!value.isObject()) {
        throw malformed(at, value, "an object");
      }
      entries.add(entry.read(new Fields(at, value)));
    }
    return entries;
  }

  Malformed malformed(String name, String expected) {
    return malformed(path(name), present(name), expected);
  }

  private JsonNode array(String name) throws Malformed {
    JsonNode value = present(name);
    if (!value.isMissingNode() && !value.isArray()) {
      throw malformed(path(name), value, "a list");
    }
    if (value.size() > MAX_ENTRIES) {
      throw new Malformed(
          path(name) + ": " + value.size() + " entries (expected: at most " + MAX_ENTRIES + ")");
    }
    return value;
  }

  private JsonNode present(String name) {
    return has(name) ? node.path(name) : MissingNode.getInstance();
  }

  private String path(String name) {
    return path.isEmpty() ? name : path + "." + name;
  }

  private static Malformed malformed(String path, JsonNode found, String expected) {
    String text = found.isMissingNode() ? "nothing" : found.toString();
    if (text.length() > MAX_TOLD) {
      text = text.substring(0, MAX_TOLD) + "...";
    }
    return new Malformed(path + ": " + text + " (expected: " + expected + ")");
  }
}
