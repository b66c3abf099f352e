package dev.penstock.cli.operate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.cli.Cli;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

/// `penstock ban`.
@Command(
    name = "ban",
    description = "Shows the sources that no tunnel serves; bans one, or lifts a ban.",
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  penstock ban",
      "  penstock ban add 192.0.2.0/24 --for 1h --reason scans",
      "  penstock ban lift 192.0.2.0/24",
      "",
      "A ban holds on all nodes of a cluster, and closes what its source has open."
    })
final class BanCommand extends Listing {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern TIME = Pattern.compile("([1-9][0-9]{0,7})(s|m|h|d)");
  private static final Duration LONGEST = Duration.ofDays(365);

  BanCommand(Map<String, String> environment) {
    super("bans", environment);
  }

  @Override
  List<Column> columns(@Nullable JsonNode first) {
    return List.of(
        Column.text("SOURCE", "source"),
        Column.time("UNTIL", "expires_at"),
        Column.text("BY", "by"),
        Column.text("REASON", "reason"));
  }

  @Command(name = "add", description = "Bans an address or a network for a time.")
  int add(
      @Parameters(paramLabel = "SOURCE", description = "192.0.2.7 or 2001:db8::/48, say.")
          String source,
      @Option(
              names = "--for",
              required = true,
              paramLabel = "TIME",
              description = "How long: 30s, 15m, 1h or 7d, say; 365d at most.")
          String time,
      @Option(names = "--reason", paramLabel = "TEXT", description = "For people.")
          @Nullable String reason)
      throws IOException, InterruptedException {
    var body = JSON.createObjectNode().put("source", source).put("seconds", seconds(time));
    if (reason != null) {
      body.put("reason", reason);
    }
    try (var client = management.open()) {
      JsonNode ban = client.act("POST", "/api/v1/bans", body);
      out()
          .println(
              Column.printable(ban.path("source").asText(source))
                  + ": banned until "
                  + Column.printable(ban.path("expires_at").asText()));
      out().flush();
    }
    return Cli.CLEAN;
  }

  @Command(name = "lift", description = "Ends a ban.")
  int lift(
      @Parameters(paramLabel = "SOURCE", description = "As penstock ban shows it.") String source)
      throws IOException, InterruptedException {
    String path = "/api/v1/bans/" + Management.encoded(source.replace('/', '-'));
    try (var client = management.open()) {
      Outcomes.print(out(), source, client.act("DELETE", path, null));
    }
    return Cli.CLEAN;
  }

  private long seconds(String time) {
    Matcher matcher = TIME.matcher(time);
    if (matcher.matches()) {
      long count = Long.parseLong(matcher.group(1));
      Duration length =
          switch (matcher.group(2)) {
            case "s" -> Duration.ofSeconds(count);
            case "m" -> Duration.ofMinutes(count);
            case "h" -> Duration.ofHours(count);
            default -> Duration.ofDays(count);
          };
      if (length.compareTo(LONGEST) <= 0) {
        return length.toSeconds();
      }
    }
    throw new ParameterException(
        spec.commandLine(),
        "--for: " + time + " (expected: 30s, 15m, 1h or 7d, say; 365d at most)");
  }
}
