package dev.penstock.cli.operate;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;

/// `penstock agents`.
@Command(
    name = "agents",
    description = "Shows the agents that the gateway hears of.",
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  penstock agents",
      "  penstock agents --filter cluster=lab --sort=-since",
      "  penstock agents --search 192.0.2. --output json"
    })
final class AgentsCommand extends Listing {
  AgentsCommand(Map<String, String> environment) {
    super("agents", environment);
  }

  @Override
  List<Column> columns(@Nullable JsonNode first) {
    return List.of(
        Column.text("CLUSTER", "cluster"),
        Column.text("AGENT", "agent_id"),
        Column.text("KIND", "kind"),
        Column.text("VERSION", "version"),
        Column.text("FROM", "remote_address"),
        Column.text("NODE", "node"),
        Column.age("SINCE", "since"));
  }
}
