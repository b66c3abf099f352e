package dev.penstock.cli.operate;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;

/// What came of an action, a line for people.
final class Outcomes {
  private Outcomes() {}

  static void print(PrintWriter out, String subject, JsonNode outcome) {
    String detail = outcome.path("detail").asText("");
    out.println(subject + ": " + (detail.isEmpty() ? "done" : Column.printable(detail)));
    out.flush();
  }
}
