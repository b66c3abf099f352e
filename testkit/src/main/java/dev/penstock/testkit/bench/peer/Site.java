package dev.penstock.testkit.bench.peer;

import dev.penstock.testkit.bench.load.Clients;
import dev.penstock.testkit.bench.process.Children;
import dev.penstock.testkit.bench.process.ProcFiles;
import dev.penstock.testkit.bench.process.ProcFiles.CpuTime;
import dev.penstock.testkit.bench.process.ProcFiles.Memory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/// One running tunnel: its directory, ports and processes. Closing ends the processes and removes
/// the directory. One thread at a time.
public final class Site implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final Duration ECHO_PATIENCE = Duration.ofMillis(250);
  private static final Duration POLL = Duration.ofMillis(5);
  private static final int LOG_LINES = 8;

  private final Children children;
  private final Path directory;
  private final int target;
  private final List<Part> parts = new ArrayList<>();
  private final Map<Role, Duration> readyAfter = new EnumMap<>(Role.class);
  private int publicPort;
  private Duration echoAfter = Duration.ZERO;

  private record Part(Role role, Process process, Path log, long started) {}

  private Site(Children children, Path directory, int target) {
    this.children = children;
    this.directory = directory;
    this.target = target;
  }

  /// Starts the peer in front of the target and waits for the first echo through it, up to 30 s.
  ///
  /// @throws IOException when it does not start or does not echo; the text holds the end of its
  ///   logs
  public static Site start(Peer peer, int target, Children children) throws IOException {
    var site = new Site(children, Files.createTempDirectory("bench-" + peer.name() + "-"), target);
    try {
      long started = System.nanoTime();
      site.publicPort = peer.start(site);
      site.awaitEcho();
      site.echoAfter = Duration.ofNanos(System.nanoTime() - started);
      return site;
    } catch (IOException | RuntimeException e) {
      String logs = site.logs();
      site.close();
      throw new IOException(peer.name() + " does not work: " + e.getMessage() + logs, e);
    }
  }

  /// The target's port on 127.0.0.1.
  public int target() {
    return target;
  }

  /// The port that leads through the tunnel to the target.
  public int publicPort() {
    return publicPort;
  }

  /// From the start of the first process to the first echo through the tunnel.
  public Duration echoAfter() {
    return echoAfter;
  }

  /// How long each of the processes took until it said that it was ready; empty for peers that do
  /// not say it.
  public Map<Role, Duration> readyAfter() {
    return Map.copyOf(readyAfter);
  }

  /// CPU time of all its processes so far.
  public CpuTime cpuTime() {
    return parts.stream()
        .map(part -> ProcFiles.cpuTime(part.process.toHandle()))
        .reduce(CpuTime.NONE, CpuTime::plus);
  }

  /// Memory of the processes of one end.
  public Memory memory(Role role) {
    return parts.stream()
        .filter(part -> part.role == role)
        .map(part -> ProcFiles.memory(part.process.toHandle()))
        .reduce(new Memory(0, 0), Memory::plus);
  }

  /// A path in this tunnel's own directory.
  Path path(String name) {
    return directory.resolve(name);
  }

  /// Writes a file into this tunnel's own directory.
  String write(String name, String content) throws IOException {
    return Files.writeString(path(name), content).toString();
  }

  /// Starts a process of this tunnel; its output goes to a log file.
  void launch(Role role, List<String> command) throws IOException {
    var log = path(parts.size() + ".log");
    var builder = new ProcessBuilder(command).directory(directory.toFile());
    builder.environment().put("RUST_LOG", "warn");
    builder.redirectErrorStream(true).redirectOutput(log.toFile());
    long now = System.nanoTime();
    parts.add(new Part(role, children.start(builder), log, now));
  }

  /// Waits until a process of this tunnel listens on the port. For links only: a public port that
  /// is probed this way would see a visitor.
  void awaitListening(int port) throws IOException {
    await(
        "no process listens on port " + port,
        () -> {
          try (var socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            return true;
          } catch (ConnectException _) {
            return false;
          }
        });
  }

  /// Waits until the management port answers `/readyz` with 200, and notes how long the process
  /// started last took for it.
  void awaitReady(int managementPort) throws IOException {
    var request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + managementPort + "/readyz"))
            .timeout(PATIENCE)
            .build();
    var part = parts.getLast();
    try (var client = HttpClient.newHttpClient()) {
      await(
          "GET /readyz of the " + part.role + " did not answer 200",
          () -> {
            try {
              return client.send(request, HttpResponse.BodyHandlers.discarding()).statusCode()
                  == 200;
            } catch (ConnectException _) {
              return false;
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
              throw new IOException("interrupted", e);
            }
          });
    }
    readyAfter.put(part.role, Duration.ofNanos(System.nanoTime() - part.started));
  }

  private void awaitEcho() throws IOException {
    await(
        "no echo through port " + publicPort,
        () -> {
          try {
            Clients.echoOnce(publicPort, ECHO_PATIENCE);
            return true;
          } catch (IOException _) {
            return false;
          }
        });
  }

  private interface Condition {
    boolean holds() throws IOException;
  }

  private void await(String complaint, Condition condition) throws IOException {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.holds()) {
      for (var part : parts) {
        if (!part.process.isAlive()) {
          throw new IOException("a process ended with code " + part.process.exitValue());
        }
      }
      if (System.nanoTime() > end) {
        throw new IOException(complaint + " within " + PATIENCE.toSeconds() + " s");
      }
      LockSupport.parkNanos(POLL.toNanos());
    }
  }

  private String logs() {
    var text = new StringBuilder();
    for (var part : parts) {
      try {
        var lines = Files.readAllLines(part.log);
        lines
            .subList(Math.max(0, lines.size() - LOG_LINES), lines.size())
            .forEach(line -> text.append("\n    ").append(part.role).append(": ").append(line));
      } catch (IOException e) {
        text.append("\n    ").append(part.role).append(": no log: ").append(e.getMessage());
      }
    }
    return text.toString();
  }

  @Override
  public void close() {
    parts.reversed().forEach(part -> children.stop(part.process));
    try (var files = Files.walk(directory)) {
      for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException | UncheckedIOException e) {
      System.err.println("not removed: " + directory + ": " + e.getMessage());
    }
  }
}
