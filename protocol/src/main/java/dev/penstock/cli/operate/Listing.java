package dev.penstock.cli.operate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.cli.Cli;
import java.io.IOException;
import java.io.PrintWriter;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// A command that shows a list of the API: filtered, sorted and paged as the API does it.
abstract class Listing implements Callable<Integer> {
  private static final int DEFAULT_LIMIT = 100;
  private static final ObjectMapper JSON = new ObjectMapper();

  @Spec CommandSpec spec = CommandSpec.create();

  @Mixin final ManagementOptions management;

  @Option(
      names = {"-f", "--filter"},
      paramLabel = "FIELD=VALUE",
      description =
          "Only items with this value; may be given many times. a,b is one of several, web* a "
              + "beginning, >1000 a comparison, null what is not known.")
  private Map<String, String> filters = new LinkedHashMap<>();

  @Option(
      names = {"-q", "--search"},
      paramLabel = "TEXT",
      description = "Only items with this text in any field.")
  private @Nullable String search;

  @Option(
      names = "--sort",
      paramLabel = "FIELDS",
      description = "Up to three, by commas; a - before one has the largest first.")
  private @Nullable String sort;

  @Option(
      names = {"-n", "--limit"},
      paramLabel = "N",
      description = "At most so many items, 1 to 1000000; 100 by default.")
  private int limit = DEFAULT_LIMIT;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FORM",
      defaultValue = "table",
      description = Output.HELP)
  private Output output = Output.TABLE;

  private final String resource;

  Listing(String resource, Map<String, String> environment) {
    this.resource = resource;
    this.management = new ManagementOptions(environment);
  }

  /// What people are shown of an answer of this kind of node.
  ///
  /// @param first an item, null when there is none
  abstract List<Column> columns(@Nullable JsonNode first);

  @Override
  public Integer call() throws IOException, InterruptedException {
    try (var client = management.open()) {
      show(client.list(resource, query(), limit()));
    }
    return Cli.CLEAN;
  }

  final Map<String, String> query() {
    var query = new LinkedHashMap<String, String>(filters);
    if (search != null) {
      query.put("q", search);
    }
    if (sort != null) {
      query.put("sort", sort);
    }
    return query;
  }

  final int limit() {
    if (limit < 1 || limit > 1_000_000) {
      throw new ParameterException(
          spec.commandLine(), "--limit: " + limit + " (expected: 1 to 1000000)");
    }
    return limit;
  }

  final boolean isJson() {
    return output == Output.JSON;
  }

  final PrintWriter out() {
    return spec.commandLine().getOut();
  }

  final void show(ObjectNode page) throws IOException {
    if (isJson()) {
      out().println(JSON.writerWithDefaultPrettyPrinter().writeValueAsString(page));
    } else {
      JsonNode items = page.path("items");
      Column.table(columns(items.get(0)), items, timeOf(page)).forEach(out()::println);
      long total = page.path("total").asLong();
      if (total > items.size()) {
        out().println("(" + items.size() + " of " + total + "; --limit shows more)");
      }
    }
    out().flush();
    tellUnanswered(page);
  }

  private void tellUnanswered(JsonNode page) {
    JsonNode nodes = page.path("unanswered");
    if (!nodes.isEmpty()) {
      var err = spec.commandLine().getErr();
      nodes.forEach(node ->
          err.println(
              spec.qualifiedName()
                  + ": the node "
                  + Column.printable(node.asText())
                  + " did not answer; its part is missing"));
      err.flush();
    }
  }

  /// By the clock of the node, which has made the times too.
  static Instant timeOf(JsonNode page) {
    try {
      return Instant.parse(page.path("time").asText());
    } catch (DateTimeParseException _) {
      return Instant.now();
    }
  }
}
