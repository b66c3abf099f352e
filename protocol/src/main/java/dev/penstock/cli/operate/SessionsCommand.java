package dev.penstock.cli.operate;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;

/// `penstock sessions`.
@Command(
    name = "sessions",
    description = "Shows the flows of UDP clients that are carried.",
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  penstock sessions --sort=-rate_out --limit 20",
      "  penstock sessions --filter client_address=192.0.2.7*",
      "  penstock sessions --filter 'bytes_out=>1000000' --output json"
    })
final class SessionsCommand extends Listing {
  SessionsCommand(Map<String, String> environment) {
    super("sessions", environment);
  }

  @Override
  List<Column> columns(@Nullable JsonNode first) {
    return Column.carried("SESSION", first);
  }
}
