package dev.penstock.gateway.drain;

import com.fasterxml.jackson.databind.JsonNode;
import dev.penstock.cli.Cli;
import dev.penstock.cli.operate.Management;
import dev.penstock.cli.operate.ManagementOptions;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `penstock drain`: asks a gateway node to leave, and waits until it has.
@Command(
    name = "drain",
    description = "Ends a gateway node so that nobody notices.",
    sortOptions = false,
    footer = {
      "",
      "The node says that it is not ready, asks its agents to link to other nodes, takes no more",
      "clients, lets what runs end by itself, for gateway.drain.grace at most, and ends. SIGTERM",
      "does the same; a second SIGTERM ends it at once.",
      "",
      "Examples:",
      "  penstock drain",
      "  penstock drain --management http://127.0.0.1:9090 --no-wait",
      "  penstock drain 10.0.0.6:7355",
      "",
      "Exit codes: 0 the node has ended, 2 bad options, 1 anything else."
    })
public final class DrainCommand implements Callable<Integer> {
  private static final Duration POLL = Duration.ofMillis(250);

  @Spec private CommandSpec spec = CommandSpec.create();

  @Mixin private final ManagementOptions management;

  @Parameters(
      arity = "0..1",
      paramLabel = "NODE",
      description =
          "Another node of the cluster, as penstock nodes shows it; without it the one that is "
              + "asked.")
  private @Nullable String node;

  @Option(names = "--no-wait", description = "Returns as soon as the node has begun.")
  private boolean noWait;

  /// @param environment the process's variables
  public DrainCommand(Map<String, String> environment) {
    this.management = new ManagementOptions(environment);
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    try (var client = management.open()) {
      if (node != null) {
        drainOther(client, node);
        return Cli.CLEAN;
      }
      client.act("POST", "/drain", null);
      if (!noWait) {
        follow(client);
      }
    }
    return Cli.CLEAN;
  }

  private void drainOther(Management client, String id) throws IOException, InterruptedException {
    String path = "/api/v1/nodes/" + URLEncoder.encode(id, StandardCharsets.UTF_8) + "/drain";
    JsonNode outcome = client.act("POST", path, null);
    var out = spec.commandLine().getOut();
    out.println(id + ": " + outcome.path("detail").asText("drains"));
    out.flush();
  }

  /// Says how far the node is, until it does not answer any more.
  private void follow(Management client) throws InterruptedException {
    var out = spec.commandLine().getOut();
    String last = "";
    while (true) {
      try {
        String now = client.text("/readyz").body().strip();
        if (!now.equals(last)) {
          out.println(now);
          out.flush();
          last = now;
        }
      } catch (IOException _) {
        out.println("the node has ended");
        out.flush();
        return;
      }
      TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
    }
  }
}
