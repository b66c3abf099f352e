package dev.penstock.testkit.swarm;

import dev.penstock.cli.Cli;
import dev.penstock.testkit.Ports;
import dev.penstock.testkit.bench.process.Children;
import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `penstock swarm`: how long thousands of agents need to be back after their gateway was killed.
public final class SwarmMain {
  private static final Duration LINKED = Duration.ofMinutes(5);

  private SwarmMain() {}

  public static void main(String[] args) {
    System.exit(Cli.execute("swarm", args, new Swarming()));
  }

  @Command(
      name = "swarm",
      description = "Kills a gateway under many agents and measures how they come back.",
      sortOptions = false)
  private static final class Swarming implements Callable<Integer> {
    @Spec CommandSpec spec = CommandSpec.create();

    @Option(
        names = "--agents",
        paramLabel = "N",
        defaultValue = "2000",
        description = "Each with two links and a tunnel; ${DEFAULT-VALUE} unless told otherwise.")
    int agents = 2000;

    @Option(
        names = "--penstock",
        paramLabel = "FILE",
        defaultValue = "./penstock",
        description = "What starts the gateway; ${DEFAULT-VALUE} unless told otherwise.")
    Path launcher = Path.of("./penstock");

    private final int listen = Ports.free();
    private final int management = Ports.free();
    private final HttpClient http = HttpClient.newHttpClient();

    @Override
    public Integer call() throws IOException, InterruptedException, TimeoutException {
      Path directory = Files.createTempDirectory("penstock-swarm");
      Path config = Files.writeString(directory.resolve("gateway.yaml"), yaml(directory));
      PrintWriter out = spec.commandLine().getOut();
      try (var children = new Children()) {
        Process gateway = gateway(children, config);
        awaitReady();
        long start = System.nanoTime();
        try (var swarm = Swarm.start("http://127.0.0.1:" + listen, agents)) {
          awaitLinks();
          swarm.awaitServing(LINKED);
          out.printf("%d agents linked and serving first after %.1f s%n", agents, since(start));
          report(out, gateway);
          gateway.destroyForcibly().waitFor();
          start = System.nanoTime();
          gateway = gateway(children, config);
          awaitReady();
          out.printf("killed and started again: ready after %.1f s%n", since(start));
          // Clients that ask all the time would be most of what the gateway has to do.
          awaitLinks();
          out.printf("all links back after %.1f s%n", since(start));
          swarm.awaitServing(LINKED);
          out.printf("all serving again after %.1f s%n", since(start));
          report(out, gateway);
        }
      }
      return Cli.CLEAN;
    }

    private static double since(long start) {
      return (System.nanoTime() - start) / 1e9;
    }

    private String yaml(Path directory) {
      var yaml = new StringBuilder();
      yaml.append(
          """
          gateway:
            listen: 127.0.0.1:%d
            data_dir: %s
            public:
              ports: 20000-32000
            auth:
              tokens:
          """
              .formatted(listen, directory.resolve("data")));
      for (int i = 0; i < agents; i++) {
        yaml.append("      - {token: ")
            .append(Swarm.token(i))
            .append(", cluster: ")
            .append(Swarm.cluster(i))
            .append("}\n");
      }
      return yaml.append("management:\n  listen: 127.0.0.1:")
          .append(management)
          .append('\n')
          .toString();
    }

    private Process gateway(Children children, Path config) throws IOException {
      var command = new ProcessBuilder(launcher.toString(), "gateway", "--config", config + "");
      command.redirectInput(new File("/dev/null"));
      command.redirectErrorStream(true);
      command.redirectOutput(config.resolveSibling("gateway.log").toFile());
      return children.start(command);
    }

    private void awaitReady() throws InterruptedException {
      while (get("/readyz") == null) {
        TimeUnit.MILLISECONDS.sleep(50);
      }
    }

    private void awaitLinks() throws InterruptedException, TimeoutException {
      long end = System.nanoTime() + LINKED.toNanos();
      while (metric("penstock_gateway_links") < 2 * agents) {
        if (System.nanoTime() - end > 0) {
          throw new TimeoutException(
              metric("penstock_gateway_links") + " of " + 2 * agents + " links");
        }
        TimeUnit.MILLISECONDS.sleep(100);
      }
    }

    /// The body of a page that is served, null when it is not.
    private @Nullable String get(String path) throws InterruptedException {
      try {
        var answer =
            http.send(
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + management + path))
                    .timeout(Duration.ofSeconds(5))
                    .build(),
                BodyHandlers.ofString());
        return answer.statusCode() == 200 ? answer.body() : null;
      } catch (IOException _) {
        return null;
      }
    }

    private double metric(String name) throws InterruptedException {
      String page = get("/metrics");
      return page == null
          ? 0
          : page.lines()
              .filter(line -> line.startsWith(name + " "))
              .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
              .sum();
    }

    private void report(PrintWriter out, Process gateway) throws IOException, InterruptedException {
      String memory =
          Files.readAllLines(Path.of("/proc", Long.toString(gateway.pid()), "status")).stream()
              .filter(line -> line.startsWith("VmRSS:") || line.startsWith("VmHWM:"))
              .map(line -> line.replaceAll("\\s+", " "))
              .reduce("", (one, other) -> one + " " + other);
      out.printf(
          "  gateway:%s, CPU %s, upgrades refused for the pace %.0f, links %.0f%n",
          memory,
          gateway.info().totalCpuDuration().orElse(Duration.ZERO),
          metric("penstock_gateway_rejected_total{reason=\"node_busy\"}"),
          metric("penstock_gateway_links"));
      out.flush();
    }
  }
}
