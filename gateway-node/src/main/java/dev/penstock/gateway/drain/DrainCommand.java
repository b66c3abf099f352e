package dev.penstock.gateway.drain;

import dev.penstock.cli.Cli;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
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
      "Example:",
      "  penstock drain --management http://127.0.0.1:9090",
      "",
      "Exit codes: 0 the node has ended, 2 bad options, 1 anything else."
    })
public final class DrainCommand implements Callable<Integer> {
  private static final Duration TIMEOUT = Duration.ofSeconds(10);
  private static final Duration POLL = Duration.ofMillis(250);

  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--management",
      paramLabel = "URL",
      defaultValue = "http://127.0.0.1:9090",
      description = "The node's management.listen; ${DEFAULT-VALUE} unless told otherwise.")
  private URI management = URI.create("http://127.0.0.1:9090");

  @Option(names = "--no-wait", description = "Returns as soon as the node has begun.")
  private boolean noWait;

  @Override
  public Integer call() throws IOException, InterruptedException {
    try (var http = HttpClient.newBuilder().connectTimeout(TIMEOUT).build()) {
      HttpResponse<String> answer;
      try {
        answer =
            http.send(
                request("/drain").POST(HttpRequest.BodyPublishers.noBody()).build(),
                BodyHandlers.ofString());
      } catch (IOException e) {
        throw new IOException(
            management + ": no answer (expected: the management.listen of a gateway)", e);
      }
      if (answer.statusCode() != 202) {
        throw new IOException(
            management + "/drain: " + answer.statusCode() + ": " + answer.body().strip());
      }
      if (!noWait) {
        follow(http);
      }
    }
    return Cli.CLEAN;
  }

  /// Says how far the node is, until it does not answer any more.
  private void follow(HttpClient http) throws InterruptedException {
    var out = spec.commandLine().getOut();
    String last = "";
    while (true) {
      try {
        String now = http.send(request("/readyz").build(), BodyHandlers.ofString()).body().strip();
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

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(management.resolve(path)).timeout(TIMEOUT);
  }
}
