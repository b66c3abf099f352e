package dev.penstock.management.api;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.penstock.management.api.Table.Column;
import dev.penstock.management.api.Table.Row;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// What of a list is asked for: filters, an order, and how much after which row. Pure; immutable.
///
/// A cursor holds the values of the last row that the order looks at, and not a position: what
/// comes and goes between two pages makes no row of the others be told twice or not at all.
public final class Query {
  /// Rows of the longest page.
  public static final int MAX_LIMIT = 500;

  static final int DEFAULT_LIMIT = 100;
  private static final int MAX_SORT = 3;
  private static final int MAX_WORDS = 50;
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Table table;
  private final Map<String, String> parameters;
  private final Predicate<Row> filter;
  private final List<Order> orders;
  private final int limit;
  private final @Nullable List<@Nullable Object> after;

  private record Order(Column column, boolean descending) {}

  private Query(
      Table table,
      Map<String, String> parameters,
      Predicate<Row> filter,
      List<Order> orders,
      int limit,
      @Nullable List<@Nullable Object> after) {
    this.table = table;
    this.parameters = parameters;
    this.filter = filter;
    this.orders = orders;
    this.limit = limit;
    this.after = after;
  }

  /// Reads the parameters of a list.
  ///
  /// @param defaultSort where they name none
  /// @throws ApiProblem one cannot be used
  public static Query of(Table table, String defaultSort, Map<String, String> parameters) {
    var sorted = new TreeMap<>(parameters);
    sorted.putIfAbsent("sort", defaultSort);
    Predicate<Row> filter = _ -> true;
    int limit = DEFAULT_LIMIT;
    List<Order> orders = orders(table, parameters.getOrDefault("sort", defaultSort));
    for (var entry : sorted.entrySet()) {
      String text = entry.getValue();
      switch (entry.getKey()) {
        case "limit" -> limit = limit(text);
        case "q" -> filter = filter.and(containing(text));
        case "sort", "cursor" -> {
          // Read before and after.
        }
        default -> {
          Column column = table.column(entry.getKey());
          if (column == null) {
            throw ApiProblem.parameter(
                "parameter",
                entry.getKey(),
                "limit, cursor, sort, q, watch or a field of the list");
          }
          filter = filter.and(filter(column, text));
        }
      }
    }
    String cursor = parameters.get("cursor");
    return new Query(
        table, sorted, filter, orders, limit, cursor == null ? null : position(cursor, orders));
  }

  /// The same for another node.
  public Map<String, String> parameters() {
    return parameters;
  }

  /// The most rows that are asked for.
  public int limit() {
    return limit;
  }

  /// What is asked for, of some rows.
  public Page select(Stream<Row> rows) {
    List<Row> matching = rows.filter(filter).toList();
    var rest = new ArrayList<>(matching);
    rest.removeIf(row -> !isAfter(row));
    rest.sort(this::compare);
    return new Page(
        List.copyOf(rest.subList(0, Math.min(limit, rest.size()))),
        matching.size(),
        rest.size(),
        List.of());
  }

  /// The page of several nodes, of the pages of each.
  public Page merge(List<Page> pages) {
    var rows = new ArrayList<Row>();
    long total = 0;
    long left = 0;
    Row horizon = null;
    var unanswered = new ArrayList<String>();
    for (Page page : pages) {
      rows.addAll(page.rows());
      total += page.total();
      left += page.left();
      unanswered.addAll(page.unanswered());
      boolean cut = page.rows().size() < Math.min(limit, page.left());
      if (cut && !page.rows().isEmpty()) {
        // Nobody knows what comes next at that node, so the page ends there.
        Row last = page.rows().getLast();
        horizon = horizon == null || compare(last, horizon) < 0 ? last : horizon;
      }
    }
    Row end = horizon;
    if (end != null) {
      rows.removeIf(row -> compare(row, end) > 0);
    }
    rows.sort(this::compare);
    return new Page(
        List.copyOf(rows.subList(0, Math.min(limit, rows.size()))), total, left, unanswered);
  }

  /// The cursor behind a row of a page.
  public String cursorAfter(Row row) {
    ArrayNode json = JsonNodeFactory.instance.arrayNode();
    json.add(orderText());
    for (Order order : orders) {
      Object value = row.get(order.column().name());
      json.add(value == null ? null : String.valueOf(value));
    }
    json.add(row.id());
    return Base64.getUrlEncoder()
        .withoutPadding()
        .encodeToString(json.toString().getBytes(StandardCharsets.UTF_8));
  }

  private String orderText() {
    return orderText(orders);
  }

  private static String orderText(List<Order> orders) {
    var text = new StringBuilder();
    orders.forEach(
        order -> text.append(order.descending() ? "-" : "+").append(order.column().name()));
    return text.toString();
  }

  private boolean isAfter(Row row) {
    List<@Nullable Object> position = after;
    if (position == null) {
      return true;
    }
    for (int i = 0; i < orders.size(); i++) {
      Order order = orders.get(i);
      int compared = compare(order, row.get(order.column().name()), position.get(i));
      if (compared != 0) {
        return compared > 0;
      }
    }
    return row.id().compareTo(String.valueOf(position.getLast())) > 0;
  }

  private int compare(Row one, Row other) {
    for (Order order : orders) {
      String name = order.column().name();
      int compared = compare(order, one.get(name), other.get(name));
      if (compared != 0) {
        return compared;
      }
    }
    return one.id().compareTo(other.id());
  }

  private static int compare(Order order, @Nullable Object one, @Nullable Object other) {
    int compared = compare(one, other);
    return order.descending() ? -compared : compared;
  }

  /// What is not known is the least.
  private static int compare(@Nullable Object one, @Nullable Object other) {
    if (one == null || other == null) {
      return Boolean.compare(one != null, other != null);
    }
    return switch (one) {
      case String text -> text.compareTo(String.valueOf(other));
      case Long number -> Long.compare(number, ((Number) other).longValue());
      case Double number -> Double.compare(number, ((Number) other).doubleValue());
      case Boolean flag -> flag.compareTo((Boolean) other);
      default -> String.valueOf(one).compareTo(String.valueOf(other));
    };
  }

  private static List<Order> orders(Table table, String text) {
    var orders = new ArrayList<Order>();
    String[] names = text.split(",", -1);
    if (names.length > MAX_SORT) {
      throw ApiProblem.parameter("sort", text, "at most " + MAX_SORT + " fields");
    }
    for (String name : names) {
      boolean descending = name.startsWith("-");
      Column column = table.column(descending ? name.substring(1) : name);
      if (column == null) {
        throw ApiProblem.parameter("sort", name, "a field of the list, `-` in front or not");
      }
      orders.add(new Order(column, descending));
    }
    return List.copyOf(orders);
  }

  private static List<@Nullable Object> position(String cursor, List<Order> orders) {
    try {
      JsonNode json =
          JSON.readTree(new String(Base64.getUrlDecoder().decode(cursor), StandardCharsets.UTF_8));
      if (json != null
          && json.isArray()
          && json.size() == orders.size() + 2
          && json.get(0).asText().equals(orderText(orders))) {
        var position = new ArrayList<@Nullable Object>();
        for (int i = 0; i < orders.size(); i++) {
          JsonNode value = json.get(i + 1);
          Column column = orders.get(i).column();
          position.add(value.isNull() ? null : plain(column, value.asText()));
        }
        position.add(json.get(json.size() - 1).asText());
        return position;
      }
    } catch (JsonProcessingException | IllegalArgumentException | ApiProblem _) {
      // Said below.
    }
    throw ApiProblem.parameter("cursor", cursor, "the next_cursor of a page with the same sort");
  }

  /// Times are numbers in a cursor.
  private static Object plain(Column column, String text) {
    return column.type() == Table.Type.TIME
        ? (Object) Long.parseLong(text)
        : Table.parse(column, text);
  }

  private static int limit(String text) {
    try {
      int limit = Integer.parseInt(text);
      if (limit >= 1 && limit <= MAX_LIMIT) {
        return limit;
      }
    } catch (NumberFormatException _) {
      // Said below.
    }
    throw ApiProblem.parameter("limit", text, "1 to " + MAX_LIMIT);
  }

  private static Predicate<Row> containing(String text) {
    if (text.length() > 200) {
      throw ApiProblem.parameter("q", text, "at most 200 characters");
    }
    String lowerCase = text.toLowerCase(Locale.ROOT);
    return row -> row.hasText(lowerCase);
  }

  private static Predicate<Row> filter(Column column, String text) {
    String[] words = text.split(",", -1);
    if (words.length > MAX_WORDS) {
      throw ApiProblem.parameter(column.name(), text, "at most " + MAX_WORDS + " values");
    }
    Predicate<Row> any = _ -> false;
    for (String word : words) {
      Predicate<@Nullable Object> matches = matcher(column, word);
      any = any.or(row -> matches.test(row.get(column.name())));
    }
    return any;
  }

  private static Predicate<@Nullable Object> matcher(Column column, String word) {
    if (word.equals("null")) {
      return value -> value == null;
    }
    return switch (column.type()) {
      case TEXT -> {
        Predicate<String> texts = texts(column, word);
        yield value -> value instanceof String text && texts.test(text);
      }
      case TEXTS -> {
        Predicate<String> texts = texts(column, word);
        yield value ->
            value instanceof List<?> all
                && all.stream().anyMatch(text -> texts.test(String.valueOf(text)));
      }
      case FLAG -> {
        Object wanted = Table.parse(column, word);
        yield wanted::equals;
      }
      case INTEGER, NUMBER, TIME -> compared(column, word);
    };
  }

  private static Predicate<String> texts(Column column, String word) {
    boolean open = word.startsWith("*");
    boolean goesOn = word.length() > 1 && word.endsWith("*");
    String core = word.substring(open ? 1 : 0, word.length() - (goesOn ? 1 : 0));
    if (open && goesOn) {
      return text -> text.contains(core);
    } else if (open) {
      return text -> text.endsWith(core);
    } else if (goesOn) {
      return text -> text.startsWith(core);
    }
    if (!column.words().isEmpty() && !column.words().contains(word)) {
      throw ApiProblem.parameter(
          column.name(),
          word,
          "one of "
              + String.join(
                  ", ", column.words().stream().sorted(Comparator.naturalOrder()).toList()));
    }
    return core::equals;
  }

  private static Predicate<@Nullable Object> compared(Column column, String word) {
    String sign = Stream.of(">=", "<=", ">", "<").filter(word::startsWith).findFirst().orElse("");
    Object wanted = Table.parse(column, word.substring(sign.length()));
    return value ->
        value != null
            && switch (sign) {
              case ">=" -> compare(value, wanted) >= 0;
              case "<=" -> compare(value, wanted) <= 0;
              case ">" -> compare(value, wanted) > 0;
              case "<" -> compare(value, wanted) < 0;
              default -> compare(value, wanted) == 0;
            };
  }

  /// What was found.
  ///
  /// @param total rows that the filters let through
  /// @param left those of them that are behind the cursor; more than `rows` when there is a next
  ///   page
  /// @param unanswered nodes whose rows are missing
  public record Page(List<Row> rows, long total, long left, List<String> unanswered) {
    public Page {
      rows = List.copyOf(rows);
      unanswered = List.copyOf(unanswered);
    }
  }

  Table table() {
    return table;
  }
}
