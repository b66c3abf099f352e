package dev.penstock.testkit.bench;

import java.util.ArrayList;
import java.util.List;

/// A Markdown table whose columns are also aligned for a terminal. One thread at a time.
final class Table {
  private final List<List<String>> rows = new ArrayList<>();

  Table(List<String> header) {
    rows.add(List.copyOf(header));
  }

  /// Adds a row.
  ///
  /// @throws IllegalArgumentException when it has another width than the header
  void add(List<String> row) {
    if (row.size() != rows.getFirst().size()) {
      throw new IllegalArgumentException(
          "columns: " + row.size() + " (expected: " + rows.getFirst().size() + ")");
    }
    rows.add(List.copyOf(row));
  }

  /// The table, each line ended.
  String render() {
    var text = new StringBuilder();
    int[] widths = new int[rows.getFirst().size()];
    for (var row : rows) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], row.get(i).length());
      }
    }
    for (int r = 0; r < rows.size(); r++) {
      line(text, rows.get(r), widths);
      if (r == 0) {
        for (int width : widths) {
          text.append("|").repeat('-', width + 2);
        }
        text.append("|\n");
      }
    }
    return text.toString();
  }

  private static void line(StringBuilder text, List<String> row, int[] widths) {
    for (int i = 0; i < widths.length; i++) {
      text.append("| ").append(row.get(i)).repeat(' ', widths[i] - row.get(i).length() + 1);
    }
    text.append("|\n");
  }
}
