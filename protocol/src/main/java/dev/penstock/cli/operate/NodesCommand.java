package dev.penstock.cli.operate;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;

/// `penstock nodes`.
@Command(
    name = "nodes",
    description = "Shows the gateway nodes of a cluster, also those that are not heard from.",
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  penstock nodes",
      "  penstock nodes --filter state=unreachable,draining",
      "  penstock nodes --output json"
    })
final class NodesCommand extends Listing {
  NodesCommand(Map<String, String> environment) {
    super("nodes", environment);
  }

  @Override
  List<Column> columns(@Nullable JsonNode first) {
    return List.of(
        Column.text("NODE", "id"),
        Column.text("STATE", "state"),
        Column.text("VERSION", "version"),
        Column.age("UP", "started_at"),
        Column.number("AGENTS", "agents"),
        Column.number("LINKS", "links"),
        Column.number("TUNNELS", "tunnels"),
        Column.number("STREAMS", "open_streams"),
        Column.number("SESSIONS", "open_sessions"),
        Column.rate("IN", "rate_in"),
        Column.rate("OUT", "rate_out"),
        Column.text("WHY", "reasons"));
  }
}
