package dev.penstock.management.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.management.api.Query.Page;
import dev.penstock.management.api.Table.Column;
import dev.penstock.management.api.Table.Row;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class QueryTest {
  private static final Table TABLE =
      new Table(
          List.of(
              new Column("id", Table.Type.TEXT, Set.of()),
              new Column("name", Table.Type.TEXT, Set.of()),
              new Column("state", Table.Type.TEXT, Set.of("up", "down")),
              new Column("bytes", Table.Type.INTEGER, Set.of()),
              new Column("rtt", Table.Type.NUMBER, Set.of()),
              new Column("self", Table.Type.FLAG, Set.of()),
              new Column("since", Table.Type.TIME, Set.of()),
              new Column("tags", Table.Type.TEXTS, Set.of())));

  private static Row row(String id, String name, @Nullable Long bytes) {
    return TABLE
        .row(id)
        .set("name", name)
        .set("state", "up")
        .set("bytes", bytes)
        .set("rtt", 1.5)
        .set("self", true)
        .set("since", 1_000L)
        .set("tags", List.of("red", "green"));
  }

  private static final List<Row> ROWS =
      List.of(row("1", "web-one", 5L), row("2", "web-two", null), row("3", "DNS", 7L));

  private static String found(Map<String, String> parameters) {
    return String.join(
        " ",
        Query.of(TABLE, "id", parameters).select(ROWS.stream()).rows().stream()
            .map(Row::id)
            .toList());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      textBlock =
          """
          name  | DNS                     | 3
          name  | web*                    | 1 2
          name  | *two                    | 2
          name  | *b-*                    | 1 2
          name  | *                       | 1 2 3
          name  | dns                     | ""
          name  | DNS,web-one             | 1 3
          state | up                      | 1 2 3
          state | down                    | ""
          bytes | 5                       | 1
          bytes | >5                      | 3
          bytes | >=5                     | 1 3
          bytes | <7                      | 1
          bytes | null                    | 2
          bytes | null,7                  | 2 3
          rtt   | >1                      | 1 2 3
          self  | true                    | 1 2 3
          self  | false                   | ""
          since | 1970-01-01T00:00:01Z    | 1 2 3
          since | >1970-01-01T00:00:01Z   | ""
          tags  | red                     | 1 2 3
          tags  | blue                    | ""
          q     | WEB                     | 1 2
          q     | green                   | 1 2 3
          sort  | name                    | 3 1 2
          sort  | -name                   | 2 1 3
          sort  | bytes                   | 2 1 3
          sort  | -bytes                  | 3 1 2
          sort  | state,-bytes            | 3 1 2
          limit | 2                       | 1 2
          """)
  void parametersSelectAndSort(String name, String value, String ids) {
    assertThat(found(Map.of(name, value))).isEqualTo(ids);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          limit  | 0
          limit  | 501
          limit  | -1
          limit  | 99999999999999999999
          limit  | ten
          sort   | nothing
          sort   | --id
          sort   | id,id,id,id
          state  | sideways
          bytes  | 1e3
          bytes  | >
          bytes  | 99999999999999999999
          rtt    | NaN
          rtt    | Infinity
          self   | yes
          since  | yesterday
          since  | +999999999-12-31T23:59:59Z
          cursor | !!!
          cursor | bnVsbA
          cursor | W10
          what   | ever
          """)
  void whatCannotBeUsedIsRefusedByName(String name, String value) {
    assertThatThrownBy(() -> Query.of(TABLE, "id", Map.of(name, value)))
        .isInstanceOfSatisfying(
            ApiProblem.class,
            problem -> {
              assertThat(problem.status()).isEqualTo(400);
              assertThat(problem.detail()).contains(" (expected: ");
            });
  }

  @Test
  void aCursorOfAnotherOrderIsRefused() {
    String cursor = Query.of(TABLE, "id", Map.of()).cursorAfter(ROWS.getFirst());
    assertThatThrownBy(() -> Query.of(TABLE, "id", Map.of("sort", "-id", "cursor", cursor)))
        .isInstanceOf(ApiProblem.class);
  }

  /// Pages of many nodes, some of them cut because they would not fit into a message, are together
  /// all rows once, in order.
  @ParameterizedTest
  @ValueSource(strings = {"id", "-bytes", "name,-bytes", "-since"})
  void pagesOfSeveralNodesGoThroughAllRowsOnceAndInOrder(String sort) {
    for (int seed = 1; seed <= 20; seed++) {
      var random = new Random(seed);
      var nodes = new ArrayList<List<Row>>();
      var all = new ArrayList<String>();
      for (int node = 0; node < 3; node++) {
        var rows = new ArrayList<Row>();
        for (int i = random.nextInt(40); i > 0; i--) {
          String id = node + "-" + i;
          rows.add(
              row(id, "n" + random.nextInt(3), random.nextBoolean() ? random.nextLong(4) : null));
          all.add(id);
        }
        nodes.add(rows);
      }
      var seen = new ArrayList<String>();
      var parameters = new HashMap<>(Map.of("sort", sort, "limit", "7"));
      for (int pages = 0; pages < 200; pages++) {
        var query = Query.of(TABLE, "id", parameters);
        var answers = new ArrayList<Page>();
        for (List<Row> rows : nodes) {
          Page page = query.select(rows.stream());
          int fit = Math.min(page.rows().size(), 1 + random.nextInt(7));
          answers.add(new Page(page.rows().subList(0, fit), page.total(), page.left(), List.of()));
        }
        Page page = query.merge(answers);
        assertThat(page.total()).isEqualTo(all.size());
        page.rows().forEach(row -> seen.add(row.id()));
        if (page.left() <= page.rows().size() || page.rows().isEmpty()) {
          break;
        }
        parameters.put("cursor", query.cursorAfter(page.rows().getLast()));
      }
      var inOrder =
          Query.of(TABLE, "id", Map.of("sort", sort, "limit", "500"))
              .select(nodes.stream().flatMap(List::stream))
              .rows()
              .stream()
              .map(Row::id)
              .toList();
      assertThat(seen).as("seed " + seed).isEqualTo(inOrder);
      assertThat(seen).containsExactlyInAnyOrderElementsOf(all);
    }
  }

  @Test
  void aPageCrossesTheWireAsItIsAndIsCutWhereItWouldNotFit() {
    var rows = new ArrayList<Row>();
    for (int i = 0; i < 500; i++) {
      rows.add(row("%05d".formatted(i), "x".repeat(1_000), (long) i));
    }
    String text = Wire.encode(TABLE, new Page(rows, 500, 500, List.of()));
    assertThat(text).hasSizeLessThan(Wire.MAX_PAGE + 100);
    Page read = Wire.page(TABLE, text);
    assertThat(read.left()).isEqualTo(500);
    assertThat(read.rows()).hasSizeBetween(100, 499);
    for (int i = 0; i < read.rows().size(); i++) {
      assertThat(read.rows().get(i).json()).isEqualTo(rows.get(i).json());
    }
  }

  @Test
  void aPageOfAnotherReleaseHasOtherColumns() {
    Page page =
        Wire.page(
            TABLE,
            """
            {"total":1,"left":1,"columns":["colour","id","bytes"],"rows":[["red","7",null],[1]]}
            """);
    assertThat(page.rows().stream().map(Row::id).sorted(Comparator.naturalOrder()))
        .containsExactly("", "7");
    assertThat(page.rows().getFirst().get("name")).isNull();
  }
}
