package dev.penstock.cli.operate;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;

/// `penstock links`.
@Command(
    name = "links",
    description = "Shows the connections that carry streams between agents and gateway.",
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  penstock links --filter state=silent",
      "  penstock links --management http://127.0.0.1:9091"
    })
final class LinksCommand extends Listing {
  LinksCommand(Map<String, String> environment) {
    super("links", environment);
  }

  @Override
  List<Column> columns(@Nullable JsonNode first) {
    return first != null && first.has("gateway")
        ? List.of(
            Column.text("LINK", "id"),
            Column.text("GATEWAY", "gateway"),
            Column.text("NODE", "gateway_node"),
            Column.text("STATE", "state"),
            Column.text("PROTOCOL", "protocol"),
            Column.number("RTT/ms", "rtt_ms"),
            Column.number("STREAMS", "open_streams"),
            Column.age("SINCE", "since"))
        : List.of(
            Column.text("LINK", "id"),
            Column.text("CLUSTER", "cluster"),
            Column.text("AGENT", "agent_id"),
            Column.text("FROM", "remote_address"),
            Column.text("NODE", "node"),
            Column.text("STATE", "state"),
            Column.text("PROTOCOL", "protocol"),
            Column.number("RTT/ms", "rtt_ms"),
            Column.number("STREAMS", "open_streams"),
            Column.age("SINCE", "since"));
  }
}
