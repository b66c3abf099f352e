package dev.penstock.testkit.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.gateway.GatewayMain;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Gateways in processes of their own on 127.0.0.2, 127.0.0.3, …, all with the same ports, their
/// database, and a load balancer at 127.0.0.1 with those ports again.
final class LocalCluster implements AutoCloseable {
  /// Where agents arrive, at each node and at the load balancer.
  static final int LINKS_PORT = 8080;

  /// Health, metrics and `/cluster` of each node.
  static final int MANAGEMENT_PORT = 9090;

  /// The agents' cluster that the token stands for.
  static final String AGENTS = "lab";

  private static final int CONTROL_PORT = 7355;
  private static final int RELAY_PORT = 7356;
  private static final Duration START = Duration.ofMinutes(2);
  private static final Duration STOP = Duration.ofSeconds(40);
  private static final Duration PERIOD = Duration.ofMillis(500);
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path directory;
  private final String token = UUID.randomUUID().toString();
  private final String secret = UUID.randomUUID().toString();
  private final List<InetAddress> nodes = new ArrayList<>();
  private final List<Process> processes = new ArrayList<>();
  private final HttpClient http = HttpClient.newBuilder().connectTimeout(PERIOD).build();
  private final LocalDatabase database;
  private final Balancer balancer = new Balancer(() -> this.ready);
  private final Thread watch = Thread.ofVirtual().name("watch").unstarted(this::watch);
  private final CountDownLatch ending = new CountDownLatch(1);
  private volatile List<InetAddress> ready = List.of();

  private LocalCluster(Path directory, int count, LocalDatabase database) {
    this.directory = directory;
    this.database = database;
    for (int i = 0; i < count; i++) {
      nodes.add(InetAddress.ofLiteral("127.0.0." + (i + 2)));
    }
  }

  /// Starts everything; returns when all nodes are ready.
  static LocalCluster start(Path directory, int count) throws IOException, InterruptedException {
    Files.createDirectories(directory);
    var cluster =
        new LocalCluster(directory, count, LocalDatabase.start(directory.resolve("database")));
    try {
      for (InetAddress node : cluster.nodes) {
        cluster.processes.add(cluster.startNode(node));
      }
      cluster.awaitReady();
      cluster.balancer.front(LINKS_PORT);
      cluster.watch.start();
      return cluster;
    } catch (IOException | InterruptedException | RuntimeException e) {
      cluster.close();
      throw e;
    }
  }

  List<InetAddress> nodes() {
    return List.copyOf(nodes);
  }

  List<Long> processes() {
    return processes.stream().map(Process::pid).toList();
  }

  String token() {
    return token;
  }

  String database() {
    return database.what();
  }

  private Process startNode(InetAddress node) throws IOException {
    String host = node.getHostAddress();
    Path config = Files.writeString(directory.resolve("gateway-" + host + ".yaml"), yaml(host));
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.addAll(
        List.of("-cp", System.getProperty("java.class.path"), GatewayMain.class.getName()));
    command.addAll(List.of("--config", config.toString()));
    var log = new File(directory.toFile(), "gateway-" + host + ".log");
    return new ProcessBuilder(command)
        .redirectInput(new File("/dev/null"))
        .redirectErrorStream(true)
        .redirectOutput(log)
        .start();
  }

  private String yaml(String host) {
    List<String> seeds =
        nodes.stream().map(node -> node.getHostAddress() + ":" + CONTROL_PORT).toList();
    return """
    gateway:
      listen: %1$s:%2$d
      data_dir: data-%1$s
      public: {host: 127.0.0.1, bind: %1$s}
      auth:
        tokens:
          - {token: %3$s, cluster: %4$s}
    management:
      listen: %1$s:%5$d
    cluster:
      enabled: true
      listen: %1$s:%6$d
      relay: %1$s:%7$d
      seeds: %8$s
      secret: %9$s
    store:
      url: %10$s
      user: %11$s
    """
        .formatted(
            host,
            LINKS_PORT,
            token,
            AGENTS,
            MANAGEMENT_PORT,
            CONTROL_PORT,
            RELAY_PORT,
            seeds,
            secret,
            database.url(),
            database.user());
  }

  private void awaitReady() throws IOException, InterruptedException {
    long deadline = System.nanoTime() + START.toNanos();
    while (ready.size() < nodes.size()) {
      for (int i = 0; i < nodes.size(); i++) {
        if (!processes.get(i).isAlive()) {
          throw new IOException(
              "the node "
                  + nodes.get(i).getHostAddress()
                  + " ended at its start; "
                  + directory.resolve("gateway-" + nodes.get(i).getHostAddress() + ".log")
                  + " says why");
        }
      }
      if (System.nanoTime() > deadline) {
        throw new IOException(
            "ready: " + ready.size() + " nodes (expected: " + nodes.size() + " within 2 minutes)");
      }
      pause();
      look();
    }
  }

  /// Until it is time to look again; whether the cluster ends instead.
  private boolean pause() throws InterruptedException {
    return ending.await(PERIOD.toMillis(), TimeUnit.MILLISECONDS);
  }

  private void watch() {
    try {
      while (!pause()) {
        look();
        frontTunnels();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void look() throws InterruptedException {
    var now = new ArrayList<InetAddress>();
    for (InetAddress node : nodes) {
      HttpResponse<String> answer = get(node, MANAGEMENT_PORT, "/readyz");
      if (answer != null && answer.statusCode() == 200) {
        now.add(node);
      }
    }
    ready = List.copyOf(now);
  }

  /// The load balancer's public ports are those of the tunnels.
  private void frontTunnels() throws InterruptedException {
    for (InetAddress node : ready) {
      HttpResponse<String> answer =
          get(node, LINKS_PORT, "/api/v1/clusters/agent/" + AGENTS + "/tunnels");
      if (answer != null && answer.statusCode() == 200) {
        try {
          for (JsonNode tunnel : JSON.readTree(answer.body())) {
            int port = tunnel.path("tunnel_port").asInt(0);
            if (port > 0 && tunnel.path("protocol").asText("").equals("tcp")) {
              balancer.front(port);
            }
          }
        } catch (IOException unreadable) {
          // The next look may find better.
        }
        return;
      }
    }
  }

  private @Nullable HttpResponse<String> get(InetAddress node, int port, String path)
      throws InterruptedException {
    var request =
        HttpRequest.newBuilder(URI.create("http://" + node.getHostAddress() + ":" + port + path))
            .timeout(Duration.ofSeconds(2))
            .header("Authorization", "Bearer " + token)
            .build();
    try {
      return http.send(request, BodyHandlers.ofString());
    } catch (IOException notNow) {
      return null;
    }
  }

  /// Ends the load balancer, then all nodes at once in order, then the database.
  @Override
  public void close() throws IOException {
    ending.countDown();
    watch.interrupt();
    balancer.close();
    processes.forEach(Process::destroy);
    long deadline = System.nanoTime() + STOP.toNanos();
    for (Process process : processes) {
      try {
        if (process.waitFor(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
          continue;
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      process.destroyForcibly();
    }
    database.close();
    http.close();
  }
}
