package dev.penstock.cli.operate;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;

/// `penstock tunnels`.
@Command(
    name = "tunnels",
    description = "Shows the exposed services, with what goes through them.",
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  penstock tunnels --sort=-rate_out --limit 10",
      "  penstock tunnels --filter links=0",
      "  penstock tunnels --search web --output json",
      "  penstock tunnels --management http://127.0.0.1:9091"
    })
final class TunnelsCommand extends Listing {
  TunnelsCommand(Map<String, String> environment) {
    super("tunnels", environment);
  }

  @Override
  List<Column> columns(@Nullable JsonNode first) {
    return first != null && first.has("leads_to")
        ? List.of(
            Column.text("TUNNEL", "name"),
            Column.text("PROTOCOL", "protocol"),
            Column.text("STATE", "state"),
            Column.text("PUBLIC", "public_address"),
            Column.text("LEADS TO", "leads_to"),
            Column.number("OPEN", "open_streams"),
            Column.rate("IN", "rate_in"),
            Column.rate("OUT", "rate_out"),
            Column.number("FAILED", "failed"),
            Column.text("WHY", "detail"))
        : List.of(
            Column.text("CLUSTER", "cluster"),
            Column.text("TUNNEL", "name"),
            Column.text("PROTOCOL", "protocol"),
            Column.text("PUBLIC", "public_host:public_port"),
            Column.text("STATE", "state"),
            Column.number("LINKS", "links"),
            Column.number("OPEN", "open_streams"),
            Column.rate("IN", "rate_in"),
            Column.rate("OUT", "rate_out"),
            Column.bytes("BYTES IN", "bytes_in"),
            Column.bytes("BYTES OUT", "bytes_out"),
            Column.number("REFUSED", "refused"));
  }
}
