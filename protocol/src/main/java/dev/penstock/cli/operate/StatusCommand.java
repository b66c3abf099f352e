package dev.penstock.cli.operate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.cli.Cli;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `penstock status`: the node that answers, and the totals of all.
@Command(
    name = "status",
    description = "Says in a few lines how a gateway or an agent is.",
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  penstock status",
      "  penstock status --management http://127.0.0.1:9091",
      "  penstock status --output json",
      "",
      "Exit codes: 0 it is ready, 2 bad options, 1 anything else."
    })
final class StatusCommand implements Callable<Integer> {
  private static final ObjectMapper JSON = new ObjectMapper();

  @Spec private CommandSpec spec = CommandSpec.create();

  @Mixin private final ManagementOptions management;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FORM",
      defaultValue = "table",
      description = Output.HELP)
  private Output output = Output.TABLE;

  StatusCommand(Map<String, String> environment) {
    this.management = new ManagementOptions(environment);
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    JsonNode status;
    JsonNode summary;
    try (var client = management.open()) {
      status = client.get("/api/v1/status");
      summary = client.get("/api/v1/summary");
    }
    var out = spec.commandLine().getOut();
    if (output == Output.JSON) {
      var both = JSON.createObjectNode();
      both.set("status", status);
      both.set("summary", summary);
      out.println(JSON.writerWithDefaultPrettyPrinter().writeValueAsString(both));
    } else {
      lines(status, summary).forEach(out::println);
    }
    out.flush();
    return status.path("state").asText().equals("ready") ? Cli.CLEAN : Cli.FAILURE;
  }

  /// What people are told.
  static List<String> lines(JsonNode status, JsonNode summary) {
    boolean gateway = status.path("kind").asText().equals("gateway");
    var lines = new ArrayList<String>();
    lines.add(
        text(status, "kind")
            + " "
            + text(status, "node")
            + (status.path("cluster").isNull() ? "" : ", cluster " + text(status, "cluster"))
            + ", "
            + text(status, "version")
            + ", up "
            + up(status));
    lines.add("state      " + text(status, "state"));
    status
        .path("reasons")
        .forEach(why -> lines.add("           " + Column.printable(why.asText())));
    if (gateway) {
      lines.add("nodes      " + count(summary, "nodes_ready") + " of " + count(summary, "nodes"));
      lines.add("agents     " + count(summary, "agents"));
    }
    lines.add("links      " + count(summary, "links"));
    lines.add(
        "tunnels    "
            + (gateway
                ? count(summary, "tunnels")
                : count(summary, "tunnels_registered") + " of " + count(summary, "tunnels")));
    lines.add(
        "open       "
            + count(summary, "open_streams")
            + " streams, "
            + count(summary, "open_sessions")
            + " sessions");
    lines.add(
        "in         "
            + Units.rate(count(summary, "rate_in"))
            + ", "
            + Units.bytes(count(summary, "bytes_in"))
            + " in all");
    lines.add(
        "out        "
            + Units.rate(count(summary, "rate_out"))
            + ", "
            + Units.bytes(count(summary, "bytes_out"))
            + " in all");
    lines.add(
        gateway
            ? "refused    " + count(summary, "refused") + byReason(summary, "refused_by_reason")
            : "failed     " + count(summary, "failed") + byReason(summary, "failed_by_reason"));
    if (gateway) {
      lines.add("bans       " + count(summary, "bans"));
    }
    summary
        .path("unanswered")
        .forEach(node ->
            lines.add(
                "missing    the node " + Column.printable(node.asText()) + " did not answer"));
    return lines;
  }

  private static String byReason(JsonNode summary, String field) {
    var reasons = new ArrayList<String>();
    summary
        .path(field)
        .properties()
        .forEach(entry -> {
          if (entry.getValue().asLong() > 0) {
            reasons.add(Column.printable(entry.getKey()) + " " + entry.getValue().asLong());
          }
        });
    return reasons.isEmpty() ? "" : ": " + String.join(", ", reasons);
  }

  private static String up(JsonNode status) {
    try {
      return Units.age(
          Duration.between(
              Instant.parse(status.path("started_at").asText()), Listing.timeOf(status)));
    } catch (DateTimeParseException _) {
      return "-";
    }
  }

  private static long count(JsonNode of, String field) {
    return of.path(field).asLong();
  }

  private static String text(JsonNode of, String field) {
    return Column.printable(of.path(field).asText("-"));
  }
}
