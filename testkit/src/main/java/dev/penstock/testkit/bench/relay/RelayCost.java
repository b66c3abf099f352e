package dev.penstock.testkit.bench.relay;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.agent.AgentMain;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.TunnelRegistration;
import dev.penstock.testkit.Ports;
import dev.penstock.testkit.bench.load.BulkLoad;
import dev.penstock.testkit.bench.load.Direction;
import dev.penstock.testkit.bench.load.Target;
import dev.penstock.testkit.bench.process.Children;
import dev.penstock.testkit.bench.process.ProcFiles;
import dev.penstock.testkit.bench.process.ProcFiles.CpuTime;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// Measures the CPU time of a relayed byte beside that of a local one: two gateway nodes and an
/// agent as processes of this machine, the agent linked to one of them only; the same bulk load
/// goes through the one and through the other, in turn. Arguments: rounds and seconds of each
/// measure.
public final class RelayCost implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(90);
  private static final Duration LEAD = Duration.ofSeconds(2);
  private static final int STREAMS = 8;
  private static final String TOKEN = "bench-token";

  private final Children children = new Children();
  private final Path directory = Files.createTempDirectory("relay-cost-");
  private final HttpClient http = HttpClient.newHttpClient();
  private final Target target = Target.start(children);
  private final Node far = new Node("far");
  private final Node near = new Node("near");
  private final Process agent;

  private RelayCost() throws IOException {
    far.start(near);
    near.start(far);
    far.awaitReady();
    near.awaitReady();
    agent = startAgent();
    expose(tunnelOfAgent());
  }

  /// What a measure found, in CPU seconds per GB.
  private record Cost(double near, double far, double agent) {
    double all() {
      return near + far + agent;
    }

    double gateways() {
      return near + far;
    }
  }

  public static void main(String[] args) throws IOException {
    int rounds = args.length > 0 ? Integer.parseInt(args[0]) : 3;
    var window = Duration.ofSeconds(args.length > 1 ? Integer.parseInt(args[1]) : 10);
    try (var bench = new RelayCost()) {
      for (Direction direction : Direction.values()) {
        // Both paths are compiled before either is measured.
        bench.measure(bench.far.open, direction, window);
        bench.measure(bench.near.open, direction, window);
        var local = new ArrayList<Cost>();
        var relayed = new ArrayList<Cost>();
        for (int i = 0; i < rounds; i++) {
          local.add(bench.measure(bench.far.open, direction, window));
          relayed.add(bench.measure(bench.near.open, direction, window));
        }
        print(direction, local, relayed);
      }
    }
  }

  private static void print(Direction direction, List<Cost> local, List<Cost> relayed) {
    System.out.printf(
        Locale.ROOT,
        "%s, CPU s/GB, medians of %d%n"
            + "  local    gateway %.2f agent %.2f all %.2f%n"
            + "  relayed  near %.2f far %.2f agent %.2f all %.2f%n"
            + "  relayed/local  all %.2f gateways %.2f%n",
        direction.name().toLowerCase(Locale.ROOT),
        local.size(),
        median(local.stream().mapToDouble(Cost::far).toArray()),
        median(local.stream().mapToDouble(Cost::agent).toArray()),
        median(local.stream().mapToDouble(Cost::all).toArray()),
        median(relayed.stream().mapToDouble(Cost::near).toArray()),
        median(relayed.stream().mapToDouble(Cost::far).toArray()),
        median(relayed.stream().mapToDouble(Cost::agent).toArray()),
        median(relayed.stream().mapToDouble(Cost::all).toArray()),
        median(relayed.stream().mapToDouble(Cost::all).toArray())
            / median(local.stream().mapToDouble(Cost::all).toArray()),
        median(relayed.stream().mapToDouble(Cost::gateways).toArray())
            / median(local.stream().mapToDouble(Cost::gateways).toArray()));
  }

  private static double median(double[] values) {
    Arrays.sort(values);
    return values[values.length / 2];
  }

  private Cost measure(int port, Direction direction, Duration window) throws IOException {
    try (var load = BulkLoad.start(port, direction, STREAMS)) {
      rest(LEAD);
      long bytes = moved(load, direction);
      CpuTime nearBefore = near.cpu();
      CpuTime farBefore = far.cpu();
      CpuTime agentBefore = ProcFiles.cpuTime(agent.toHandle());
      rest(window);
      double gigabytes = (moved(load, direction) - bytes) / 1e9;
      load.check();
      if (gigabytes == 0) {
        throw new IOException("bytes moved: 0 (expected: more)");
      }
      return new Cost(
          near.cpu().secondsSince(nearBefore) / gigabytes,
          far.cpu().secondsSince(farBefore) / gigabytes,
          ProcFiles.cpuTime(agent.toHandle()).secondsSince(agentBefore) / gigabytes);
    }
  }

  private long moved(BulkLoad load, Direction direction) throws IOException {
    return direction == Direction.DOWN ? load.received() : target.taken();
  }

  private static void rest(Duration time) {
    long end = System.nanoTime() + time.toNanos();
    while (System.nanoTime() < end) {
      LockSupport.parkNanos(end - System.nanoTime());
    }
  }

  /// One gateway node.
  private final class Node {
    private final String name;
    private final int link = Ports.free();
    private final int relay = Ports.free();
    private final int management = Ports.free();
    private final int open = Ports.free();
    private @Nullable Process process;

    Node(String name) {
      this.name = name;
    }

    void start(Node other) throws IOException {
      Path config =
          Files.writeString(
              directory.resolve(name + ".yaml"),
              """
              gateway:
                listen: 127.0.0.1:%d
                data_dir: %s
                public: { host: 127.0.0.1, bind: 127.0.0.1, ports: %d-%d }
                auth: { tokens: [ { token: "%s", cluster: lab } ] }
              management: { listen: "127.0.0.1:%d" }
              """
                  .formatted(link, directory.resolve(name), open, open, TOKEN, management));
      process =
          java(
              name,
              RelayNodeMain.class,
              config.toString(),
              name,
              String.valueOf(relay),
              other.name,
              String.valueOf(other.relay));
    }

    CpuTime cpu() {
      return ProcFiles.cpuTime(Objects.requireNonNull(process).toHandle());
    }

    void awaitReady() throws IOException {
      RelayCost.this.awaitReady(management);
    }

    URI tunnels() {
      return URI.create("http://127.0.0.1:" + link + "/api/v1/clusters/agent/lab/tunnels");
    }
  }

  private Process java(String name, Class<?> main, String... args) throws IOException {
    var command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-Xmx512m",
                "-XX:+PreserveFramePointer",
                "--sun-misc-unsafe-memory-access=allow",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                Objects.requireNonNull(System.getProperty("java.class.path")),
                main.getName()));
    command.addAll(List.of(args));
    var log = directory.resolve(name + ".log").toFile();
    return children.start(
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log));
  }

  private Process startAgent() throws IOException {
    int management = Ports.free();
    Path config =
        Files.writeString(
            directory.resolve("agent.yaml"),
            """
            pipeops: { api_url: "http://127.0.0.1:%d", token: "%s" }
            management: { listen: "127.0.0.1:%d" }
            tunnels:
              services:
                - { name: t, port: 1, target: "127.0.0.1:%d", public_port: %d }
            """
                .formatted(far.link, TOKEN, management, target.port(), far.open));
    Process started = java("agent", AgentMain.class, "--config", config.toString());
    awaitReady(management);
    return started;
  }

  private void awaitReady(int management) throws IOException {
    var ready = URI.create("http://127.0.0.1:" + management + "/readyz");
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (System.nanoTime() < end) {
      try {
        if (send(HttpRequest.newBuilder(ready).build()).statusCode() == 200) {
          return;
        }
      } catch (IOException _) {
        // Not up yet.
      }
      LockSupport.parkNanos(50_000_000);
    }
    throw new IOException(ready + " is not ready; logs are in " + directory);
  }

  private String tunnelOfAgent() throws IOException {
    var tunnels =
        send(
            HttpRequest.newBuilder(far.tunnels())
                .header("Authorization", "Bearer " + TOKEN)
                .build());
    return new ObjectMapper().readTree(tunnels.body()).findPath("tunnel_id").asText();
  }

  /// Has the node without the agent listen for the same tunnel.
  private void expose(String tunnelId) throws IOException {
    String body =
        TunnelRegistration.of(Protocol.TCP, tunnelId, "t", 1)
            .gateway("", "t", near.open - 10_000)
            .build()
            .encode();
    var answer =
        send(
            HttpRequest.newBuilder(near.tunnels())
                .header("Authorization", "Bearer " + TOKEN)
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build());
    if (answer.statusCode() != 200) {
      throw new IOException(answer.statusCode() + " " + answer.body());
    }
  }

  private HttpResponse<String> send(HttpRequest request) throws IOException {
    try {
      return http.send(request, BodyHandlers.ofString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  @Override
  public void close() throws IOException {
    children.close();
    http.close();
  }
}
