package dev.penstock.testkit.bench;

import dev.penstock.testkit.bench.Plan.Lifetime;
import dev.penstock.testkit.bench.peer.Peer;
import dev.penstock.testkit.bench.peer.Peers;
import dev.penstock.testkit.bench.process.Children;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `penstock bench`: measures this tunnel and others beside it on this machine. Exit code 0 when
/// every peer that is installed was measured without failure, 1 when one failed, 2 for wrong
/// options.
@Command(
    name = "penstock bench",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Measures tunnels side by side on this machine and prints tables.",
      "Progress goes to standard error, the tables to standard output."
    })
public final class BenchMain implements Callable<Integer> {
  private static final int FULL_ROUNDS = 5;
  private static final double FULL_SECONDS = 3;
  private static final int QUICK_ROUNDS = 2;
  private static final double QUICK_SECONDS = 1;
  private static final double LONGEST_SECONDS = 600;
  private static final int MOST_ROUNDS = 100;
  private static final long GRACE_SECONDS = 10;

  @Spec private @Nullable CommandSpec spec;

  @Option(
      names = "--peers",
      split = ",",
      paramLabel = "NAME",
      description = "Peers to measure, by commas; default: all (see --list).")
  private List<String> peers = List.of();

  @Option(
      names = "--measures",
      split = ",",
      paramLabel = "NAME",
      description = "Measures to take, by commas; default: all (see --list).")
  private List<String> measures = List.of();

  @Option(
      names = "--rounds",
      paramLabel = "N",
      description = "How often each peer is measured, alternating; default: 5, quick 2.")
  private @Nullable Integer rounds;

  @Option(
      names = "--seconds",
      paramLabel = "S",
      description = "Length of each measured window; default: 3, quick 1.")
  private @Nullable Double seconds;

  @Option(names = "--json", paramLabel = "FILE", description = "Write every sample there as JSON.")
  private @Nullable Path json;

  @Option(
      names = "--quick",
      description = "A short run that shows that all works; its numbers are not for quoting.")
  private boolean quick;

  @Option(
      names = "--isolated",
      description = "Start each peer for each measure alone, instead of all at the beginning.")
  private boolean isolated;

  @Option(
      names = "--penstock",
      paramLabel = "PATH",
      defaultValue = "${sys:penstock:-${env:PENSTOCK:-./penstock}}",
      description =
          "The launcher to measure; also as environment variable PENSTOCK. Default: ./penstock.")
  private Path launcher = Path.of("./penstock");

  @Option(names = "--list", description = "List peers and measures, and what is missing; then end.")
  private boolean list;

  /// Starts it.
  public static void main(String[] args) {
    System.exit(new CommandLine(new BenchMain()).execute(args));
  }

  @Override
  public Integer call() throws IOException {
    var known = Peers.all(launcher);
    if (list) {
      list(known);
      return CommandLine.ExitCode.OK;
    }
    var plan = plan();
    var chosen = chosen(known);
    if (json != null && !Files.isDirectory(json.toAbsolutePath().resolveSibling("."))) {
      throw wrong("--json: " + json + " (expected: a file in a directory that exists)");
    }
    var finished = new CountDownLatch(1);
    var children = new Children();
    var hook = Thread.ofPlatform().name("bench-end").unstarted(() -> end(children, finished));
    Runtime.getRuntime().addShutdownHook(hook);
    try {
      var report = new Bench(plan, chosen, children, System.err).run();
      if (children.isClosed()) {
        return CommandLine.ExitCode.SOFTWARE;
      }
      System.out.write(report.markdown().getBytes(StandardCharsets.UTF_8));
      System.out.flush();
      if (json != null) {
        report.writeJson(json);
      }
      return report.failures().isEmpty() ? CommandLine.ExitCode.OK : CommandLine.ExitCode.SOFTWARE;
    } finally {
      children.close();
      finished.countDown();
    }
  }

  /// On Ctrl-C: ends the processes, and lets the run notice it and remove its directories.
  private static void end(Children children, CountDownLatch finished) {
    children.close();
    try {
      if (!finished.await(GRACE_SECONDS, TimeUnit.SECONDS)) {
        System.err.println("bench: temporary directories may be left behind");
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }

  private Plan plan() {
    var wanted = new ArrayList<Measure>();
    try {
      measures.forEach(name -> wanted.add(Measure.of(name)));
    } catch (IllegalArgumentException e) {
      throw wrong("--measures: " + e.getMessage());
    }
    int count = rounds != null ? rounds : quick ? QUICK_ROUNDS : FULL_ROUNDS;
    if (count < 1 || count > MOST_ROUNDS) {
      throw wrong("--rounds: " + count + " (expected: 1 to " + MOST_ROUNDS + ")");
    }
    double length = seconds != null ? seconds : quick ? QUICK_SECONDS : FULL_SECONDS;
    if (!(length >= 0.1 && length <= LONGEST_SECONDS)) {
      throw wrong("--seconds: " + length + " (expected: 0.1 to " + LONGEST_SECONDS + ")");
    }
    var window = Duration.ofMillis(Math.round(length * 1000));
    var all = wanted.isEmpty() ? List.of(Measure.values()) : List.copyOf(wanted);
    var lifetime = isolated ? Lifetime.ONE_MEASURE : Lifetime.WHOLE_RUN;
    return quick
        ? Plan.quick(all, count, window, lifetime)
        : Plan.full(all, count, window, lifetime);
  }

  private List<Peer> chosen(List<Peer> known) {
    if (peers.isEmpty()) {
      return known;
    }
    var names = known.stream().map(Peer::name).toList();
    for (var name : peers) {
      if (!names.contains(name)) {
        throw wrong("--peers: " + name + " (expected: some of " + String.join(", ", names) + ")");
      }
    }
    return known.stream().filter(peer -> peers.contains(peer.name())).toList();
  }

  private ParameterException wrong(String message) {
    if (spec == null) {
      throw new IllegalStateException(message);
    }
    return new ParameterException(spec.commandLine(), message);
  }

  private static void list(List<Peer> known) {
    var table = new Table(List.of("peer", "state", "configuration"));
    for (var peer : known) {
      var state =
          peer.tools().stream()
              .filter(tool -> tool.find().isEmpty())
              .findFirst()
              .map(tool -> "missing: " + tool.name() + " (" + tool.install() + ")")
              .orElse("ready");
      table.add(List.of(peer.name(), state, peer.note()));
    }
    System.out.println(table.render());
    var measures = new Table(List.of("measure", "what"));
    for (var measure : Measure.values()) {
      measures.add(List.of(measure.toString(), measure.title()));
    }
    System.out.print(measures.render());
  }
}
