package dev.penstock.cli.operate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.cli.Cli;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

/// `penstock leases`.
@Command(
    name = "leases",
    description = "Shows public ports that are held or reserved; releases and reserves them.",
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  penstock leases --filter cluster=lab",
      "  penstock leases release tcp-15432",
      "  penstock leases reserve tcp-15432 --cluster lab",
      "  penstock leases unreserve tcp-15432"
    })
final class LeasesCommand extends Listing {
  private static final ObjectMapper JSON = new ObjectMapper();

  LeasesCommand(Map<String, String> environment) {
    super("leases", environment);
  }

  @Override
  List<Column> columns(@Nullable JsonNode first) {
    return List.of(
        Column.text("LEASE", "id"),
        Column.text("PROTOCOL", "protocol"),
        Column.number("PORT", "port"),
        Column.text("STATE", "state"),
        Column.text("CLUSTER", "cluster"),
        Column.text("TUNNEL", "tunnel"),
        Column.text("RESERVED FOR", "reserved_for"));
  }

  @Command(
      name = "release",
      description = "Ends the tunnel that has the port; an agent that wants it registers anew.")
  int release(@Parameters(paramLabel = "LEASE", description = "Such as tcp-15432.") String lease)
      throws IOException, InterruptedException {
    return act("POST", lease, "release", null);
  }

  @Command(name = "reserve", description = "Lets only this cluster have the port.")
  int reserve(
      @Parameters(paramLabel = "LEASE", description = "Such as tcp-15432.") String lease,
      @Option(names = "--cluster", required = true, paramLabel = "NAME", description = "Whose.")
          String cluster)
      throws IOException, InterruptedException {
    if (cluster.isBlank()) {
      throw new ParameterException(
          spec.commandLine(), "--cluster: \"\" (expected: the name of a cluster)");
    }
    return act("PUT", lease, "reservation", JSON.createObjectNode().put("cluster", cluster));
  }

  @Command(name = "unreserve", description = "Lets any cluster have the port again.")
  int unreserve(@Parameters(paramLabel = "LEASE", description = "Such as tcp-15432.") String lease)
      throws IOException, InterruptedException {
    return act("DELETE", lease, "reservation", null);
  }

  private int act(String method, String lease, String what, @Nullable ObjectNode body)
      throws IOException, InterruptedException {
    try (var client = management.open()) {
      JsonNode outcome =
          client.act(method, "/api/v1/leases/" + Management.encoded(lease) + "/" + what, body);
      Outcomes.print(out(), lease, outcome);
    }
    return Cli.CLEAN;
  }
}
