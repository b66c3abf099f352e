package dev.penstock.cli.operate;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// What `penstock top` shows, as lines: no terminal, no clock, no requests.
final class TopScreen {
  private static final List<Column> COLUMNS =
      List.of(
          Column.text("TUNNEL", "name"),
          Column.text("CLUSTER", "cluster"),
          Column.text("PUBLIC", "public_host:public_port"),
          Column.text("STATE", "state"),
          Column.number("OPEN", "open_streams"),
          Column.rate("IN", "rate_in"),
          Column.rate("OUT", "rate_out"),
          Column.bytes("BYTES IN", "bytes_in"),
          Column.bytes("BYTES OUT", "bytes_out"));
  private static final List<Column> AGENT_COLUMNS =
      List.of(
          Column.text("TUNNEL", "name"),
          Column.text("PUBLIC", "public_address"),
          Column.text("LEADS TO", "leads_to"),
          Column.text("STATE", "state"),
          Column.number("OPEN", "open_streams"),
          Column.rate("IN", "rate_in"),
          Column.rate("OUT", "rate_out"),
          Column.bytes("BYTES IN", "bytes_in"),
          Column.bytes("BYTES OUT", "bytes_out"));

  /// What stands first, and the key that asks for it.
  enum Order {
    OUT('o', "-rate_out,-rate_in,name"),
    IN('i', "-rate_in,-rate_out,name"),
    CONNECTIONS('c', "-open_streams,name"),
    NAME('n', "name");

    final char key;

    /// For the API.
    final String sort;

    Order(char key, String sort) {
      this.key = key;
      this.sort = sort;
    }

    /// The order that a key asks for; the one that was when it asks for none.
    static Order asked(char key, Order otherwise) {
      for (Order order : values()) {
        if (order.key == key) {
          return order;
        }
      }
      return otherwise;
    }
  }

  private TopScreen() {}

  /// At most `height` lines of at most `width` characters.
  static List<String> lines(
      JsonNode status, JsonNode summary, JsonNode tunnels, Order order, int width, int height) {
    var lines = new ArrayList<String>();
    lines.add(
        "penstock top  "
            + Column.printable(status.path("kind").asText())
            + " "
            + Column.printable(status.path("node").asText())
            + "  "
            + Column.printable(status.path("state").asText())
            + "  "
            + Column.printable(summary.path("time").asText().replaceFirst("\\.\\d+Z$", "Z")));
    lines.add(
        "in "
            + Units.rate(summary.path("rate_in").asLong())
            + "  out "
            + Units.rate(summary.path("rate_out").asLong())
            + "  streams "
            + summary.path("open_streams").asLong()
            + "  sessions "
            + summary.path("open_sessions").asLong()
            + "  links "
            + summary.path("links").asLong()
            + "  tunnels "
            + summary.path("tunnels").asLong()
            + (summary.path("unanswered").isEmpty()
                ? ""
                : "  nodes missing: " + summary.path("unanswered").size()));
    lines.add("");
    JsonNode items = tunnels.path("items");
    var columns = !items.isEmpty() && items.get(0).has("leads_to") ? AGENT_COLUMNS : COLUMNS;
    lines.addAll(Column.table(columns, sorted(items, order), Listing.timeOf(tunnels)));
    return lines.stream().limit(height).map(line -> cut(line, width)).toList();
  }

  /// As the API has sorted them, once more by what is shown: rates of other nodes come later.
  private static List<JsonNode> sorted(JsonNode items, Order order) {
    var sorted = new ArrayList<JsonNode>();
    items.forEach(sorted::add);
    Comparator<JsonNode> by =
        switch (order) {
          case OUT -> Comparator.comparingLong(item -> -item.path("rate_out").asLong());
          case IN -> Comparator.comparingLong(item -> -item.path("rate_in").asLong());
          case CONNECTIONS -> Comparator.comparingLong(item -> -item.path("open_streams").asLong());
          case NAME -> Comparator.comparing(item -> item.path("name").asText());
        };
    sorted.sort(by);
    return sorted;
  }

  private static String cut(String line, int width) {
    return line.codePointCount(0, line.length()) <= width
        ? line
        : line.substring(0, line.offsetByCodePoints(0, Math.max(0, width)));
  }
}
