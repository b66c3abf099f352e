package dev.penstock.cli.operate;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `penstock events`.
@Command(
    name = "events",
    description = "Shows what happened lately, or, with --follow, what happens.",
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  penstock events --limit 20",
      "  penstock events --filter kind=client_refused,peer_rejected",
      "  penstock events --follow",
      "",
      "A node keeps its last 1,000 events. With --follow and --output json each event is a line."
    })
final class EventsCommand extends Listing {
  private static final List<Column> COLUMNS =
      List.of(
          Column.time("TIME", "time"),
          Column.text("NODE", "node"),
          Column.text("EVENT", "kind"),
          Column.text("CLUSTER", "cluster"),
          Column.text("TUNNEL", "tunnel"),
          Column.text("ADDRESS", "address"),
          Column.text("REASON", "reason"),
          Column.text("DETAIL", "detail"));

  @Option(names = "--follow", description = "Goes on until Ctrl-C, oldest first.")
  private boolean follow;

  EventsCommand(Map<String, String> environment) {
    super("events", environment);
  }

  @Override
  List<Column> columns(@Nullable JsonNode first) {
    return COLUMNS;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (!follow) {
      return super.call();
    }
    var told = new HashSet<String>();
    try (var client = management.open()) {
      client.watch(
          "events",
          query(),
          (name, data) -> tell(data.path(name.equals("page") ? "items" : "changed"), told));
    }
    throw new IOException(
        "the node ended the watch, as it does when it ends (start it again, then this)");
  }

  /// Prints those of a page, which has the newest first, that were not printed before. What was
  /// printed and is not on the page any more does not come again.
  private void tell(JsonNode page, Set<String> told) {
    var events = new ArrayList<JsonNode>();
    page.forEach(event -> {
      if (told.add(event.path("id").asText())) {
        events.add(event);
      }
    });
    events.sort((a, b) -> a.path("time").asText().compareTo(b.path("time").asText()));
    for (JsonNode event : events) {
      out().println(isJson() ? event.toString() : line(event));
    }
    out().flush();
    if (told.size() > 100_000) {
      told.clear();
      page.forEach(event -> told.add(event.path("id").asText()));
    }
  }

  /// One event, without the columns that it has no value for.
  static String line(JsonNode event) {
    var words = new ArrayList<String>();
    for (Column column : COLUMNS) {
      words.add(Column.table(List.of(column), Collections.singleton(event), Instant.EPOCH).get(1));
    }
    words.removeIf(word -> word.equals("-"));
    return String.join("  ", words);
  }
}
