package dev.penstock.management.api;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The columns of one kind of thing, as the API's document names them, and its [Row]s. Immutable.
public final class Table {
  /// What a column holds.
  public enum Type {
    TEXT,
    INTEGER,
    NUMBER,
    FLAG,
    /// Milliseconds since 1970 as a `Long`, told as RFC 3339.
    TIME,
    TEXTS
  }

  /// One column.
  ///
  /// @param words the texts that it may hold; empty for any
  public record Column(String name, Type type, Set<String> words) {}

  private final List<Column> columns;
  private final Map<String, Integer> positions = new HashMap<>();

  /// @param columns one of them `id`
  public Table(List<Column> columns) {
    this.columns = List.copyOf(columns);
    for (int i = 0; i < columns.size(); i++) {
      positions.put(columns.get(i).name(), i);
    }
    if (!positions.containsKey("id")) {
      throw new IllegalArgumentException("columns: " + positions.keySet() + " (expected: id)");
    }
  }

  /// The table of a schema of an OpenAPI document.
  static Table of(JsonNode schema) {
    var columns = new ArrayList<Column>();
    schema
        .get("properties")
        .properties()
        .forEach(entry -> columns.add(column(entry.getKey(), entry.getValue())));
    return new Table(columns);
  }

  private static Column column(String name, JsonNode property) {
    JsonNode type = property.get("type");
    String first = type.isArray() ? type.get(0).asText() : type.asText();
    var words = new ArrayList<String>();
    property
        .path("enum")
        .forEach(word -> {
          if (!word.isNull()) {
            words.add(word.asText());
          }
        });
    Type kind =
        switch (first) {
          case "integer" -> Type.INTEGER;
          case "number" -> Type.NUMBER;
          case "boolean" -> Type.FLAG;
          case "array" -> Type.TEXTS;
          case "string" ->
              property.path("format").asText().equals("date-time") ? Type.TIME : Type.TEXT;
          default -> throw new IllegalArgumentException(name + ": " + first);
        };
    return new Column(name, kind, Set.copyOf(words));
  }

  /// All columns, in the order of the document.
  public List<Column> columns() {
    return columns;
  }

  @Nullable Column column(String name) {
    Integer at = positions.get(name);
    return at == null ? null : columns.get(at);
  }

  private int position(String name) {
    Integer at = positions.get(name);
    if (at == null) {
      throw new IllegalArgumentException(
          "column: " + name + " (expected: one of " + positions.keySet() + ")");
    }
    return at;
  }

  /// A row without values.
  public Row row(String id) {
    return new Row(new Object[columns.size()]).set("id", id);
  }

  /// A row of what another node wrote, whose columns may be others.
  ///
  /// @param names of the values; those that this table does not have are passed over
  Row row(List<String> names, JsonNode values) {
    @Nullable Object[] all = new Object[columns.size()];
    for (int i = 0; i < names.size() && i < values.size(); i++) {
      Integer at = positions.get(names.get(i));
      if (at != null) {
        all[at] = value(columns.get(at).type(), values.get(i));
      }
    }
    if (!(all[position("id")] instanceof String)) {
      all[position("id")] = "";
    }
    return new Row(all);
  }

  private static @Nullable Object value(Type type, JsonNode json) {
    if (json.isNull()) {
      return null;
    }
    return switch (type) {
      case TEXT -> json.asText();
      case INTEGER, TIME -> json.asLong();
      case NUMBER -> json.asDouble();
      case FLAG -> json.asBoolean();
      case TEXTS -> {
        var texts = new ArrayList<String>();
        json.forEach(text -> texts.add(text.asText()));
        yield List.copyOf(texts);
      }
    };
  }

  /// Reads a value as a filter or a cursor writes it.
  static Object parse(Column column, String text) {
    try {
      return switch (column.type()) {
        case TEXT, TEXTS -> text;
        case INTEGER -> Long.parseLong(text);
        case NUMBER -> finite(column, text);
        case FLAG ->
            switch (text) {
              case "true" -> true;
              case "false" -> false;
              default -> throw ApiProblem.parameter(column.name(), text, "true or false");
            };
        case TIME -> Instant.parse(text).toEpochMilli();
      };
    } catch (NumberFormatException _) {
      throw ApiProblem.parameter(column.name(), text, "a number");
    } catch (DateTimeParseException | ArithmeticException _) {
      throw ApiProblem.parameter(column.name(), text, "a time such as 2026-01-31T12:00:00Z");
    }
  }

  private static double finite(Column column, String text) {
    double number = Double.parseDouble(text);
    if (!Double.isFinite(number)) {
      throw ApiProblem.parameter(column.name(), text, "a number");
    }
    return number;
  }

  /// One thing. Not changed once it was given away.
  public final class Row {
    private final @Nullable Object[] values;

    private Row(@Nullable Object[] values) {
      this.values = values;
    }

    /// Sets a value of the column's type; null is what is not known.
    public Row set(String column, @Nullable Object value) {
      values[position(column)] = value instanceof Integer number ? number.longValue() : value;
      return this;
    }

    /// The value of a column that the table has.
    public @Nullable Object get(String column) {
      return values[position(column)];
    }

    /// The number of a column of the type [Type#INTEGER]; 0 when it is not known.
    public long number(String column) {
      return get(column) instanceof Long number ? number : 0;
    }

    public String id() {
      return String.valueOf(get("id"));
    }

    /// As the API tells it.
    public ObjectNode json() {
      ObjectNode json = JsonNodeFactory.instance.objectNode();
      for (int i = 0; i < values.length; i++) {
        Column column = columns.get(i);
        Object value = values[i];
        if (column.type() == Type.TIME && value instanceof Long millis) {
          json.put(column.name(), Instant.ofEpochMilli(millis).toString());
        } else {
          json.set(column.name(), node(value));
        }
      }
      return json;
    }

    /// The values alone, for another node.
    ArrayNode values() {
      ArrayNode json = JsonNodeFactory.instance.arrayNode(values.length);
      for (Object value : values) {
        json.add(node(value));
      }
      return json;
    }

    private static JsonNode node(@Nullable Object value) {
      JsonNodeFactory factory = JsonNodeFactory.instance;
      return switch (value) {
        case null -> factory.nullNode();
        case String text -> factory.textNode(text);
        case Long number -> factory.numberNode(number);
        case Double number -> factory.numberNode(number);
        case Boolean flag -> factory.booleanNode(flag);
        case List<?> texts -> {
          ArrayNode array = factory.arrayNode();
          texts.forEach(text -> array.add(String.valueOf(text)));
          yield array;
        }
        default -> throw new IllegalArgumentException("value: " + value.getClass());
      };
    }

    boolean hasText(String lowerCase) {
      return Arrays.stream(values)
          .anyMatch(value ->
              switch (value) {
                case String text -> text.toLowerCase(Locale.ROOT).contains(lowerCase);
                case List<?> texts ->
                    texts.stream()
                        .anyMatch(text ->
                            String.valueOf(text).toLowerCase(Locale.ROOT).contains(lowerCase));
                case null, default -> false;
              });
    }
  }
}
