package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.testkit.EchoService.Behaviour;
import dev.penstock.testkit.EchoService.End;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What `kill -9` of one of three nodes costs, while pgbench and redis-benchmark run through all of
/// them: the connections that it carried, those of its own clients and those that another node had
/// given it, and nothing else.
@Timeout(value = 240, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@Tag("alone")
class NodeLossSystemTest {
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(30));
  private static final Duration LINK_BACK = Limits.time(Duration.ofSeconds(1));
  private static final Duration SETUP = Duration.ofMinutes(2);
  private static final int NODES = 3;
  private static final int LINKS = 2;

  /// Few enough that a node with a link has no reason to give clients to another, see the relay's
  /// page: at most 14 streams are on one link.
  private static final int CLIENTS = 2;

  private static final int KEPT = 4;
  private static final int BENCH_SECONDS = 15;

  @TempDir Path directory;
  private ClusterLab lab;

  @Test
  void aKilledNodeCostsTheConnectionsThatItCarriedAndNoOther() throws Exception {
    Programs.require("pgbench");
    Programs.require("redis-benchmark");
    try (RealServer postgres = RealServer.postgres();
        RealServer redis = RealServer.redis();
        ClusterLab cluster =
            ClusterLab.in(directory, NODES)
                .withoutCuts()
                .expose("echo", EchoService.start(Behaviour.echo()))
                .expose("postgres", postgres.address())
                .expose("redis", redis.address())) {
      lab = cluster.start();
      lab.startAgent(0);
      await("links at two nodes")
          .atMost(PATIENCE)
          .until(() -> lab.nodesWithLinks().size() == LINKS);
      for (int node = 0; node < NODES; node++) {
        int at = node;
        await("node " + at + " serves").atMost(PATIENCE).until(() -> lab.echoes(at, "echo"));
      }
      killOne(lab.nodesWithLinks().getLast(), lab.nodesWithLinks().getFirst());
    }
  }

  /// @param killed a node with a link
  /// @param linked another
  private void killOne(int killed, int linked) throws Exception {
    int unlinked = NODES - killed - linked;
    prepareBench(linked);
    var over = new AtomicBoolean();
    var redisRuns = CompletableFuture.supplyAsync(() -> redisAgainAndAgain(linked, over));
    Map<Integer, Integer> carriedBefore = carriedForOthers(killed, linked);
    Running pgUnlinked = pgbench(unlinked);
    int pgLost = givenTo(killed, linked, carriedBefore, CLIENTS);
    Running redisUnlinked = redis(unlinked);
    int redisLost =
        givenTo(
            killed, linked, with(carriedBefore, killed, pgLost, linked, CLIENTS - pgLost), CLIENTS);
    Running pgLinked = pgbench(linked);
    Running pgKilled = pgbench(killed);
    Running redisKilled = redis(killed);
    var kept = new ArrayList<Kept>();
    try {
      for (int i = 0; i < KEPT; i++) {
        kept.add(keep(unlinked, killed));
        kept.add(keep(linked, killed));
      }
      assertThat(kept).filteredOn(it -> it.node() == linked).noneMatch(Kept::overKilled);
      Kept own = keep(killed, killed);
      kept.add(own);
      var others = List.of(lab.publicAddress(linked, "echo"), lab.publicAddress(unlinked, "echo"));
      try (EchoClients prober = EchoClients.start(others, 1, Duration.ZERO)) {
        await().atMost(PATIENCE).until(() -> prober.ended() > 50);
        long upBefore = linksThatCameUp();
        long killedAt = System.nanoTime();
        lab.node(killed).kill();
        await("the lost link is back elsewhere")
            .atMost(PATIENCE)
            .pollDelay(Duration.ZERO)
            .pollInterval(Duration.ofMillis(5))
            .until(() -> linksThatCameUp() > upBefore);
        Duration back = Duration.ofNanos(System.nanoTime() - killedAt);
        await("gateways count it")
            .atMost(PATIENCE)
            .until(() -> lab.links(linked) + lab.links(unlinked) == LINKS);
        int before = prober.ended();
        await().atMost(PATIENCE).until(() -> prober.ended() > before + 200);
        prober.end();
        System.out.printf(
            "kill -9 of a node with a link: the link was back after %d ms; new connections to the"
                + " others: %s; kept connections of them that it carried: %d of %d, pgbench's %d and"
                + " redis-benchmark's %d of %d%n",
            back.toMillis(),
            prober,
            kept.stream().filter(Kept::overKilled).count() - 1,
            2 * KEPT,
            pgLost,
            redisLost,
            CLIENTS);
        assertThat(back).as(lab::report).isLessThan(LINK_BACK);
        assertOnlyWhatItCarriedBroke(prober, killedAt, lab.publicAddress(linked, "echo"));
      }
      for (Kept connection : kept) {
        if (connection.node() == killed) {
          // Its kernel ends it in whatever way it likes.
          connection.end();
        } else if (connection.overKilled()) {
          assertThat(connection.end().how()).as(lab::report).isEqualTo(End.How.RESET);
        } else {
          roundTrip(connection.socket());
        }
      }
      over.set(true);
      assertThat(redisRuns.join()).as("runs of redis-benchmark").isPositive();
      assertThat(pgLinked.awaitExit()).as(pgLinked::output).isZero();
      assertThat(pgLinked.output()).contains("number of failed transactions: 0");
      assertThat(pgKilled.awaitExit()).as(pgKilled::output).isNotZero();
      assertThat(redisKilled.awaitExit()).as(redisKilled::output).isNotZero();
      assertThat(pgUnlinked.awaitExit() == 0).as(pgUnlinked::output).isEqualTo(pgLost == 0);
      assertThat(pgUnlinked.output().lines().filter(line -> line.contains("aborted in")).count())
          .as(pgUnlinked::output)
          .isEqualTo(pgLost);
      if (redisLost > 0) {
        assertThat(redisUnlinked.awaitExit()).as(redisUnlinked::output).isNotZero();
      } else {
        assertThat(redisUnlinked.process().isAlive()).as(redisUnlinked::output).isTrue();
      }
    } finally {
      over.set(true);
      // Before the gateways end: redis-benchmark would spin on what is left of its connections.
      redisRuns.handle((_, _) -> 0).join();
      for (Kept connection : kept) {
        connection.socket().close();
      }
      for (Running running : List.of(pgUnlinked, redisUnlinked, pgLinked, pgKilled, redisKilled)) {
        running.process().destroyForcibly().waitFor();
      }
    }
  }

  /// Connections that began after the kill all went well; of those that were open just then, none
  /// was lost at the node whose clients stay with it.
  private void assertOnlyWhatItCarriedBroke(
      EchoClients prober, long killedAt, InetSocketAddress linked) {
    assertThat(prober.failures())
        .as(lab::report)
        .allMatch(failure -> failure.begunNanos() - killedAt < 0)
        .noneMatch(failure -> failure.to().equals(linked))
        .hasSizeLessThanOrEqualTo(1);
  }

  /// As the agent tells it: the pages of gateways wait for the processor as long as the links do.
  private long linksThatCameUp() {
    return lab.agent().log().stream().filter(line -> line.contains("a link is up")).count();
  }

  // --- which node carries what ---

  /// Streams that each of two nodes carries for others now.
  private Map<Integer, Integer> carriedForOthers(int one, int other) {
    return new TreeMap<>(Map.of(one, carriedForOthers(one), other, carriedForOthers(other)));
  }

  private int carriedForOthers(int node) {
    return (int) lab.node(node).metric("penstock_gateway_relay_active_streams{", "\"in\"");
  }

  private static Map<Integer, Integer> with(
      Map<Integer, Integer> before, int one, int more, int other, int moreOther) {
    return Map.of(one, before.get(one) + more, other, before.get(other) + moreOther);
  }

  /// Waits until `count` more streams are carried for others; how many of them the first node has.
  private int givenTo(int first, int other, Map<Integer, Integer> before, int count) {
    return await()
        .atMost(PATIENCE)
        .until(
            () -> {
              int here = carriedForOthers(first) - before.get(first);
              int there = carriedForOthers(other) - before.get(other);
              return here + there == count ? here : -1;
            },
            given -> given >= 0);
  }

  /// A connection that stays open.
  private record Kept(int node, Socket socket, boolean overKilled) {
    End end() throws IOException {
      return End.of(socket.getInputStream());
    }
  }

  private Kept keep(int node, int killed) throws IOException {
    int before = carriedForOthers(killed);
    Socket socket = lab.connect(node, "echo");
    roundTrip(socket);
    return new Kept(node, socket, node == killed || carriedForOthers(killed) > before);
  }

  private static void roundTrip(Socket client) throws IOException {
    client.setSoTimeout((int) PATIENCE.toMillis());
    client.getOutputStream().write('?');
    assertThat(client.getInputStream().read()).isEqualTo('?');
  }

  // --- programs ---

  private record Running(Process process, Path file) {
    int awaitExit() throws InterruptedException {
      assertThat(process.waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS))
          .as(this::output)
          .isTrue();
      return process.exitValue();
    }

    String output() {
      try {
        return Files.readString(file);
      } catch (IOException e) {
        return e.toString();
      }
    }
  }

  private Running start(String name, List<String> command) {
    Path file = directory.resolve(name + ".log");
    return new Running(Programs.start(directory, file, command), file);
  }

  private List<String> postgresAt(int node) {
    var at = lab.publicAddress(node, "postgres");
    return List.of(
        "-h",
        at.getAddress().getHostAddress(),
        "-p",
        Integer.toString(at.getPort()),
        "-U",
        "postgres",
        "postgres");
  }

  private void prepareBench(int node) {
    var command = new ArrayList<>(List.of(Programs.require("pgbench"), "-i", "-q", "-s", "1"));
    command.addAll(postgresAt(node));
    Programs.run(SETUP, directory, command);
  }

  /// Runs for a while; all its clients are connected, and no connection but theirs is open.
  private Running pgbench(int node) {
    var command =
        new ArrayList<>(
            List.of(
                Programs.require("pgbench"),
                "-n",
                "-S",
                "-P",
                "1",
                "-c",
                Integer.toString(CLIENTS),
                "-T",
                Integer.toString(BENCH_SECONDS)));
    command.addAll(postgresAt(node));
    return awaitProgress(start("pgbench-" + node, command), "progress: ");
  }

  /// Runs until it is ended; all its clients are connected, and no connection but theirs is open.
  private Running redis(int node) {
    return awaitProgress(start("redis-" + node, redisCommand(node, 2_000_000_000)), "avg_msec=");
  }

  private static Running awaitProgress(Running program, String told) {
    await(told).atMost(PATIENCE).until(() -> program.output().contains(told));
    return program;
  }

  private List<String> redisCommand(int node, int requests) {
    var at = lab.publicAddress(node, "redis");
    return List.of(
        Programs.require("redis-benchmark"),
        "-h",
        at.getAddress().getHostAddress(),
        "-p",
        Integer.toString(at.getPort()),
        "-c",
        Integer.toString(CLIENTS),
        "-t",
        "set",
        "-q",
        "-n",
        Integer.toString(requests));
  }

  /// How many runs ended; each must end well.
  private int redisAgainAndAgain(int node, AtomicBoolean over) {
    int runs = 0;
    while (!over.get()) {
      Programs.run(SETUP, directory, redisCommand(node, 2_000));
      runs++;
    }
    return runs;
  }
}
