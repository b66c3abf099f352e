package dev.penstock.cli.operate;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.cli.operate.TopScreen.Order;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TablesTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Instant NOW = Instant.parse("2026-11-22T10:00:00Z");

  private static JsonNode json(String text) throws Exception {
    return JSON.readTree(text.replace('\'', '"'));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0 B",
    "999, 999 B",
    "1000, 1.0 KiB",
    "1048576, 1.0 MiB",
    "157286400, 150 MiB",
    "9223372036854775807, 8.0 EiB"
  })
  void bytesHaveAUnit(long count, String text) {
    assertThat(Units.bytes(count)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({"-5, 0s", "59, 59s", "61, 1m1s", "8040, 2h14m", "100000, 1d3h"})
  void agesHaveTwoUnitsAtMost(long seconds, String text) {
    assertThat(Units.age(Duration.ofSeconds(seconds))).isEqualTo(text);
  }

  @Test
  void numbersStandAtTheRightAndWhatIsNotKnownIsADash() throws Exception {
    var columns =
        List.of(
            Column.text("NAME", "name"),
            Column.number("N", "n"),
            Column.age("AGE", "at"),
            Column.text("PUBLIC", "host:port"));
    JsonNode items =
        json(
            "[{'name':'a','n':10000,'at':'2026-11-22T09:59:00Z','host':'h','port':7},"
                + "{'name':'longer','n':null,'at':null,'host':'h','port':null}]");
    assertThat(Column.table(columns, items, NOW))
        .containsExactly(
            "NAME        N   AGE  PUBLIC", "a       10000  1m0s  h:7", "longer      -     -  h");
  }

  @Test
  void whatAgentsSayDoesNotMoveTheCursor() throws Exception {
    JsonNode items = json("[{'name':'a\\u001b[2Jb\\n\\u009bc'}]");
    assertThat(Column.table(List.of(Column.text("NAME", "name")), items, NOW).get(1))
        .isEqualTo("a?[2Jb??c");
  }

  @Test
  void anEventShowsOnlyWhatItHas() throws Exception {
    JsonNode event =
        json("{'time':'2026-11-22T09:59:00.123Z','node':'local','kind':'link_up','tunnel':null}");
    assertThat(EventsCommand.line(event)).isEqualTo("2026-11-22T09:59:00Z  local  link_up");
  }

  private static final String TUNNELS =
      "{'time':'2026-11-22T10:00:00Z','items':["
          + "{'name':'a','rate_in':9000,'rate_out':1,'open_streams':1},"
          + "{'name':'b','rate_in':1,'rate_out':9000,'open_streams':2}]}";

  private static List<String> screen(Order order, int width, int height) throws Exception {
    JsonNode status = json("{'kind':'gateway','node':'local','state':'ready'}");
    JsonNode summary = json("{'time':'2026-11-22T10:00:00.5Z','rate_in':9001,'rate_out':9001}");
    return TopScreen.lines(status, summary, json(TUNNELS), order, width, height);
  }

  @Test
  void theBusiestStandsFirst() throws Exception {
    assertThat(screen(Order.OUT, 200, 50).get(4)).startsWith("b ").contains("8.8 KiB/s");
    assertThat(screen(Order.IN, 200, 50).get(4)).startsWith("a ");
    assertThat(screen(Order.CONNECTIONS, 200, 50).get(4)).startsWith("b ");
    assertThat(screen(Order.NAME, 200, 50).get(4)).startsWith("a ");
    assertThat(Order.asked('i', Order.OUT)).isEqualTo(Order.IN);
    assertThat(Order.asked('x', Order.NAME)).isEqualTo(Order.NAME);
  }

  @Test
  void aSmallWindowIsNeverOverfilled() throws Exception {
    assertThat(screen(Order.OUT, 20, 5))
        .hasSize(5)
        .allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(20));
  }
}
