package dev.penstock.cli.operate;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;

/// `penstock streams`.
@Command(
    name = "streams",
    description = "Shows clients' TCP connections that are carried.",
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  penstock streams --sort=-rate_out --limit 20",
      "  penstock streams --filter client_address=192.0.2.7*",
      "  penstock streams --filter 'bytes_out=>1000000' --output json"
    })
final class StreamsCommand extends Listing {
  StreamsCommand(Map<String, String> environment) {
    super("streams", environment);
  }

  @Override
  List<Column> columns(@Nullable JsonNode first) {
    return Column.carried("STREAM", first);
  }
}
