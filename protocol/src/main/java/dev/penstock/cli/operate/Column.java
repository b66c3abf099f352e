package dev.penstock.cli.operate;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// A column of a table for people: which fields of an item it shows, and how.
///
/// @param title over the column
/// @param field of the item; what follows a `:` in it is another field, joined to the first
/// @param shape how its value is written
record Column(String title, String field, Shape shape) {
  private static final String NOTHING = "-";
  private static final String GAP = "  ";

  enum Shape {
    TEXT,
    NUMBER,
    BYTES,
    RATE,
    /// A time, as what has passed since.
    AGE,
    /// A time, as itself to the second.
    TIME
  }

  static Column text(String title, String field) {
    return new Column(title, field, Shape.TEXT);
  }

  static Column number(String title, String field) {
    return new Column(title, field, Shape.NUMBER);
  }

  static Column bytes(String title, String field) {
    return new Column(title, field, Shape.BYTES);
  }

  static Column rate(String title, String field) {
    return new Column(title, field, Shape.RATE);
  }

  static Column age(String title, String field) {
    return new Column(title, field, Shape.AGE);
  }

  static Column time(String title, String field) {
    return new Column(title, field, Shape.TIME);
  }

  /// The columns of streams or sessions.
  ///
  /// @param first of them, which tells whether an agent shows them; null when there is none
  static List<Column> carried(String title, @Nullable JsonNode first) {
    boolean ofAgent = first != null && first.has("backend");
    var columns = new ArrayList<Column>();
    columns.add(text(title, "id"));
    columns.add(text("TUNNEL", "tunnel"));
    columns.add(text("CLIENT", "client_address"));
    if (ofAgent) {
      columns.add(text("SERVICE", "backend"));
    }
    columns.add(text("LINK", "link_id"));
    if (!ofAgent) {
      columns.add(text("VIA", "via"));
    }
    columns.add(text("STATE", "state"));
    columns.add(age("AGE", "opened_at"));
    columns.add(bytes("BYTES IN", "bytes_in"));
    columns.add(bytes("BYTES OUT", "bytes_out"));
    columns.add(rate("IN", "rate_in"));
    columns.add(rate("OUT", "rate_out"));
    return columns;
  }

  /// The lines of a table, its head first, without blanks at their ends.
  ///
  /// @param now what ages are reckoned from
  static List<String> table(List<Column> columns, Iterable<JsonNode> items, Instant now) {
    var rows = new ArrayList<List<String>>();
    rows.add(columns.stream().map(Column::title).toList());
    for (JsonNode item : items) {
      rows.add(columns.stream().map(column -> column.cell(item, now)).toList());
    }
    var widths = new int[columns.size()];
    for (List<String> row : rows) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], row.get(i).codePointCount(0, row.get(i).length()));
      }
    }
    return rows.stream().map(row -> line(columns, row, widths)).toList();
  }

  private static String line(List<Column> columns, List<String> row, int[] widths) {
    var line = new StringBuilder();
    for (int i = 0; i < widths.length; i++) {
      String cell = row.get(i);
      String blanks = " ".repeat(widths[i] - cell.codePointCount(0, cell.length()));
      line.append(i == 0 ? "" : GAP);
      line.append(columns.get(i).isNumber() ? blanks + cell : cell + blanks);
    }
    return line.toString().stripTrailing();
  }

  private boolean isNumber() {
    return switch (shape) {
      case TEXT, TIME -> false;
      case NUMBER, BYTES, RATE, AGE -> true;
    };
  }

  private String cell(JsonNode item, Instant now) {
    var text = new StringBuilder();
    for (String one : field.split(":", -1)) {
      String next = value(item.path(one), now);
      if (!text.isEmpty() && !next.equals(NOTHING)) {
        text.append(':');
      }
      text.append(text.isEmpty() || !next.equals(NOTHING) ? next : "");
    }
    return text.toString();
  }

  private String value(JsonNode value, Instant now) {
    if (value.isNull() || value.isMissingNode()) {
      return NOTHING;
    }
    if (value.isArray()) {
      var parts = new ArrayList<String>();
      value.forEach(part -> parts.add(printable(part.asText())));
      return parts.isEmpty() ? NOTHING : String.join(",", parts);
    }
    return switch (shape) {
      case TEXT -> value.asText().isEmpty() ? NOTHING : printable(value.asText());
      case NUMBER ->
          value.isFloatingPointNumber()
              ? String.format(Locale.ROOT, "%.1f", value.asDouble())
              : printable(value.asText());
      case BYTES -> Units.bytes(value.asLong());
      case RATE -> Units.rate(value.asLong());
      case AGE -> age(value.asText(), now);
      case TIME -> printable(value.asText().replaceFirst("\\.\\d+Z$", "Z"));
    };
  }

  private static String age(String time, Instant now) {
    try {
      return Units.age(Duration.between(Instant.parse(time), now));
    } catch (DateTimeParseException _) {
      return printable(time);
    }
  }

  /// What agents and strangers say of themselves must not move the cursor of a terminal.
  static String printable(String text) {
    return text.codePoints()
        .map(code -> Character.isISOControl(code) ? '?' : code)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }
}
