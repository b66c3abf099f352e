package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.awaitility.core.ConditionTimeoutException;

/// A gateway or an agent in a process of its own, started by the launcher as a user starts it. All
/// processes that are left end with this JVM.
final class NodeProcess implements AutoCloseable {
  private static final Duration START = Limits.time(Duration.ofMinutes(1));
  private static final Duration STOP = Duration.ofSeconds(20);
  private static final int LINES_IN_REPORT = 60;
  private static final Set<Process> RUNNING = ConcurrentHashMap.newKeySet();
  private static final HttpClient HTTP =
      HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();

  static {
    Runtime.getRuntime()
        .addShutdownHook(new Thread(() -> RUNNING.forEach(Process::destroyForcibly)));
  }

  private final String name;
  private final Process process;
  private final int managementPort;
  private final long startedNanos = System.nanoTime();
  private final List<String> output = new CopyOnWriteArrayList<>();
  private final List<String> log = new CopyOnWriteArrayList<>();
  private final List<Thread> readers = new ArrayList<>();

  private NodeProcess(String name, Process process, int managementPort) {
    this.name = name;
    this.process = process;
    this.managementPort = managementPort;
  }

  /// Runs `./penstock` with these arguments.
  ///
  /// @param managementPort where it answers about itself
  /// @param environment added to this JVM's
  static NodeProcess start(
      Path directory, int managementPort, Map<String, String> environment, List<String> arguments) {
    var command = new ArrayList<String>();
    command.add(Home.DIRECTORY.resolve("penstock").toString());
    command.addAll(arguments);
    return run(arguments.getFirst(), directory, managementPort, environment, command);
  }

  /// Runs a command that ends up as a gateway or an agent.
  ///
  /// @param name for messages
  /// @param managementPort where it answers about itself
  /// @param environment added to this JVM's
  static NodeProcess run(
      String name,
      Path directory,
      int managementPort,
      Map<String, String> environment,
      List<String> arguments) {
    var command = new ProcessBuilder(arguments);
    command.directory(directory.toFile());
    command.environment().put("PENSTOCK_BUILD", "never");
    command.environment().putAll(environment);
    command.redirectInput(new File("/dev/null"));
    try {
      Process process = command.start();
      RUNNING.add(process);
      var node = new NodeProcess(name, process, managementPort);
      node.readers.add(collect(process.getInputStream(), node.output));
      node.readers.add(collect(process.getErrorStream(), node.log));
      return node;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Waits until it says that it is ready; fails at once when it ends instead.
  NodeProcess awaitReady() {
    try {
      awaitStart();
    } catch (ConditionTimeoutException e) {
      throw new AssertionError(name + " is not ready:\n" + report(), e);
    }
    return this;
  }

  private void awaitStart() {
    await(name + " is ready")
        .atMost(START)
        .pollInterval(Duration.ofMillis(10))
        .failFast(
            name + " ended instead",
            () -> {
              assertThat(process.isAlive()).as(this::report).isTrue();
            })
        .until(this::isReady);
  }

  boolean isReady() {
    return status("/readyz") == 200;
  }

  /// The HTTP status that its management port gives for `path`; 0 when it does not answer.
  int status(String path) {
    try {
      return HTTP.send(management(path), BodyHandlers.discarding()).statusCode();
    } catch (IOException e) {
      return 0;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return 0;
    }
  }

  /// Sends `PUT` or `DELETE` to its management port; the HTTP status.
  int send(String method, String path) {
    try {
      var request =
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + managementPort + path))
              .method(method, HttpRequest.BodyPublishers.noBody())
              .build();
      return HTTP.send(request, BodyHandlers.discarding()).statusCode();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /// Its metrics now: series as exposed, with labels, and their values.
  Map<String, Double> metrics() {
    try {
      String text = HTTP.send(management("/metrics"), BodyHandlers.ofString()).body();
      return text.lines()
          .filter(line -> !line.startsWith("#") && line.lastIndexOf(' ') > 0)
          .collect(
              Collectors.toMap(
                  line -> line.substring(0, line.lastIndexOf(' ')),
                  line -> Double.valueOf(line.substring(line.lastIndexOf(' ') + 1)),
                  Double::sum));
    } catch (IOException e) {
      throw new UncheckedIOException(name + " metrics:\n" + report(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /// The sum of all series whose text holds every one of `parts`.
  double metric(String... parts) {
    return metrics().entrySet().stream()
        .filter(series -> List.of(parts).stream().allMatch(series.getKey()::contains))
        .mapToDouble(Map.Entry::getValue)
        .sum();
  }

  /// Lines of its standard output so far.
  List<String> output() {
    return List.copyOf(output);
  }

  /// Lines of its standard error so far.
  List<String> log() {
    return List.copyOf(log);
  }

  /// When it was started, by [System#nanoTime].
  long startedNanos() {
    return startedNanos;
  }

  /// CPU time that it has used.
  Duration cpuTime() {
    return process.info().totalCpuDuration().orElseThrow();
  }

  /// Memory that it has resident, in bytes.
  long residentBytes() {
    try {
      return Files.readAllLines(Path.of("/proc", Long.toString(process.pid()), "status")).stream()
          .filter(line -> line.startsWith("VmRSS:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
          .findFirst()
          .orElseThrow();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Ends it without a chance to clean up, as `kill -9` does.
  void kill() {
    process.destroyForcibly();
    awaitExit();
  }

  /// Stops it in the middle of what it does, as SIGSTOP does, until [#resume].
  void pause() {
    signal("STOP");
  }

  /// Has it go on.
  void resume() {
    signal("CONT");
  }

  /// Asks it to end; its exit code.
  int terminate() {
    process.destroy();
    return awaitExit();
  }

  /// Sends it a signal, such as `TERM` or `STOP`.
  void signal(String name) {
    try {
      int code =
          new ProcessBuilder("kill", "-" + name, Long.toString(process.pid()))
              .inheritIO()
              .start()
              .waitFor();
      assertThat(code).as("kill -%s", name).isZero();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  boolean isRunning() {
    return process.isAlive();
  }

  /// Waits for its end; its exit code.
  int awaitExit() {
    return awaitExit(STOP);
  }

  /// Waits for its end, which must come within `limit`; its exit code.
  int awaitExit(Duration limit) {
    try {
      assertThat(process.waitFor(limit.toSeconds(), TimeUnit.SECONDS))
          .as("%s ended within %s:%n%s", name, limit, report())
          .isTrue();
      for (Thread reader : readers) {
        reader.join(STOP);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
    RUNNING.remove(process);
    return process.exitValue();
  }

  /// The end of what it wrote, for the message of a failed test; without a line for each
  /// connection.
  String report() {
    List<String> lines = log.stream().filter(line -> !line.contains(" access - ")).toList();
    return lines.stream()
        .skip(Math.max(0, lines.size() - LINES_IN_REPORT))
        .collect(Collectors.joining("\n", "--- last lines of " + name + "\n", "\n---"));
  }

  @Override
  public void close() {
    if (process.isAlive()) {
      process.destroyForcibly();
      awaitExit();
    }
    RUNNING.remove(process);
  }

  private HttpRequest management(String path) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + managementPort + path))
        .timeout(Duration.ofSeconds(5))
        .build();
  }

  /// On a platform thread: reading a pipe would hold a virtual thread's carrier, of which there are
  /// as few as cores.
  private static Thread collect(InputStream stream, List<String> lines) {
    return Thread.ofPlatform()
        .daemon()
        .start(() -> {
          try (var reader =
              new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
            reader.lines().forEach(lines::add);
          } catch (IOException | UncheckedIOException ended) {
            // The process is gone and its pipe with it.
          }
        });
  }
}
