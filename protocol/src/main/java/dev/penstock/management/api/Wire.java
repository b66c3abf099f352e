package dev.penstock.management.api;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.management.api.Query.Page;
import dev.penstock.management.api.Table.Row;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Queries and pages on their way between nodes, in JSON with the columns by name, so that a column
/// may be added. A page is cut where it would not fit into one message. Pure.
public final class Wire {
  /// Bytes of the longest page, below what one message between nodes may have.
  static final int MAX_PAGE = 160 * 1024;

  private static final ObjectMapper JSON = new ObjectMapper();

  private Wire() {}

  /// The parameters of a query.
  public static String encode(Map<String, String> parameters) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    parameters.forEach(json::put);
    return json.toString();
  }

  /// As [#encode] wrote them.
  ///
  /// @throws ApiProblem it is something else
  public static Map<String, String> parameters(String text) {
    var parameters = new HashMap<String, String>();
    read(text)
        .properties()
        .forEach(entry -> parameters.put(entry.getKey(), entry.getValue().asText()));
    return parameters;
  }

  /// A page, as many of its rows as fit.
  public static String encode(Table table, Page page) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("total", page.total());
    json.put("left", page.left());
    ArrayNode columns = json.putArray("columns");
    table.columns().forEach(column -> columns.add(column.name()));
    ArrayNode rows = json.putArray("rows");
    int size = json.toString().length();
    for (Row row : page.rows()) {
      ArrayNode values = row.values();
      size += values.toString().getBytes(StandardCharsets.UTF_8).length + 1;
      if (size > MAX_PAGE && !rows.isEmpty()) {
        break;
      }
      rows.add(values);
    }
    return json.toString();
  }

  /// As [#encode(Table, Page)] wrote it.
  ///
  /// @throws ApiProblem it is something else
  public static Page page(Table table, String text) {
    JsonNode json = read(text);
    var columns = new ArrayList<String>();
    json.path("columns").forEach(column -> columns.add(column.asText()));
    var rows = new ArrayList<Row>();
    json.path("rows").forEach(values -> rows.add(table.row(columns, values)));
    return new Page(rows, json.path("total").asLong(), json.path("left").asLong(), List.of());
  }

  /// Reads an object.
  ///
  /// @throws ApiProblem it is something else
  public static JsonNode read(String text) {
    try {
      JsonNode json = JSON.readTree(text);
      if (json != null && json.isObject()) {
        return json;
      }
    } catch (JsonProcessingException _) {
      // Said below.
    }
    throw new ApiProblem(503, "a node gave an answer that cannot be read");
  }
}
