package dev.penstock.testkit.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class TableTest {
  @Test
  void columnsAreAsWideAsTheirWidestCell() {
    var table = new Table(List.of("peer", "p50"));
    table.add(List.of("haproxy-2x", "1"));
    assertThat(table.render())
        .isEqualTo(
            """
            | peer       | p50 |
            |------------|-----|
            | haproxy-2x | 1   |
            """);
  }

  @Test
  void aRowOfAnotherWidthIsRefused() {
    var table = new Table(List.of("peer", "p50"));
    assertThatThrownBy(() -> table.add(List.of("direct"))).hasMessage("columns: 1 (expected: 2)");
  }
}
