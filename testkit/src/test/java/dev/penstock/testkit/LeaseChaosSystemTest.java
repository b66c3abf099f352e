package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.testkit.LeaseClients.Held;
import dev.penstock.testkit.leases.LeaseHistory;
import dev.penstock.testkit.leases.LeaseHistory.Tunnel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.awaitility.core.ConditionTimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Clients register and release through three gateways on PostgreSQL, all in processes of their
/// own, while nodes are killed, paused and cut off and the database goes away and comes back.
/// `-Dfaults=N` sets how many faults, `-Dseed=N` which.
class LeaseChaosSystemTest {
  private static final int FAULTS = Integer.getInteger("faults", 50);
  private static final int NODES = 3;

  /// Answers after every fault that tell that clients get on.
  private static final int PROGRESS = 12;

  private static final int FAULTS_PER_EPOCH = 50;
  private static final Duration PATIENCE = Limits.time(Duration.ofMinutes(2));

  /// How long a light fault waits for clients to get on after the one before. Heavy ones wait for
  /// it however long it takes.
  private static final Duration SOON = Duration.ofSeconds(2);

  /// How long a heavy fault waits for the nodes of the one before.
  private static final Duration IN_PLACE = Limits.time(Duration.ofSeconds(20));

  @TempDir Path directory;

  private final long seed = Long.getLong("seed", System.nanoTime());
  private final LeaseHistory history = new LeaseHistory();

  @Test
  void noPortHasTwoOwnersAndNoAcknowledgedLeaseIsLost() throws Exception {
    System.out.println("seed " + seed);
    try (var database = RealServer.postgres();
        var lab =
            LeaseClients.tenants(ClusterLab.in(directory, NODES))
                .withDatabase("jdbc:postgresql://" + database.address() + "/postgres", "postgres")
                .withCluster("unreachable_after: 1500ms")
                .withCluster("down_after: 2s")
                .with("leases: {retention: 10s}")
                .start();
        var faults = new LeaseFaults(lab, database, seed)) {
      var clients = new LeaseClients(lab, history);
      try {
        run(lab, clients, faults);
      } catch (AssertionError | ConditionTimeoutException e) {
        throw new AssertionError(report(e, lab, database, clients, faults), e);
      } finally {
        clients.stop();
      }
    }
  }

  private void run(ClusterLab lab, LeaseClients clients, LeaseFaults faults) throws Exception {
    int epoch = 0;
    history.goesOn();
    clients.start(epoch, seed);
    awaitProgress(PATIENCE);
    long began = System.nanoTime();
    for (int fault = 1; fault <= FAULTS; fault++) {
      if (faults.nextIsHeavy()) {
        awaitNodes(lab);
        awaitProgress(PATIENCE);
      }
      faults.next();
      try {
        awaitProgress(SOON);
      } catch (ConditionTimeoutException e) {
        // Then the next fault meets nodes that have not got over this one.
      }
      if (fault % FAULTS_PER_EPOCH == 0 || fault == FAULTS) {
        faults.awaitHeavy();
        clients.stop();
        check(lab, clients, faults);
        System.out.printf(
            "%d faults in %d s, %d calls answered%n",
            fault, (System.nanoTime() - began) / 1_000_000_000, history.size());
        history.goesOn();
        clients.start(++epoch, seed);
      }
    }
  }

  private void awaitProgress(Duration limit) {
    int before = history.size();
    await("clients get on")
        .atMost(limit)
        .pollInterval(Duration.ofMillis(50))
        .until(() -> history.size() >= before + PROGRESS);
  }

  /// All nodes, if they are there soon: a heavy fault that finds one missing may end them all.
  private static void awaitNodes(ClusterLab lab) {
    try {
      await().atMost(IN_PLACE).pollInterval(Duration.ofMillis(200)).until(() -> areInPlace(lab));
    } catch (ConditionTimeoutException e) {
      // Then it is one more fault at the same time.
    }
  }

  private static boolean areInPlace(ClusterLab lab) {
    for (int node = 0; node < NODES; node++) {
      if (!lab.node(node).isReady() || lab.sees(node, "ready") != NODES) {
        return false;
      }
    }
    return true;
  }

  /// With no fault and no call under way, all nodes have the same table, everything in it listens
  /// at each, and it is what the clients were told. Ends all its tunnels.
  private void check(ClusterLab lab, LeaseClients clients, LeaseFaults faults) {
    await("all nodes are back").atMost(PATIENCE).until(() -> areInPlace(lab));
    var table = awaitSameTables(clients);
    history.ends();
    table.forEach((tunnel, held) -> history.atTheEnd(tunnel, held.lease()));
    assertThat(history.violations()).isEmpty();
    assertThat(faults.complaints()).isEmpty();
    assertThat(clients.complaints()).isEmpty();
    var closed = new ArrayList<String>();
    for (int node = 0; node < NODES; node++) {
      for (var each : table.entrySet()) {
        if (!clients.isOpen(node, each.getValue().lease())) {
          closed.add(each.getKey() + " at node " + node + ": " + each.getValue());
        }
      }
    }
    assertThat(closed).as("leases whose ports do not listen").isEmpty();
    await("all tunnels are released").atMost(PATIENCE).until(() -> isEmptied(clients));
  }

  /// Whether no node has a tunnel; those that any has are released. A registration that got no
  /// answer may have come late, so this is to be asked until it is so.
  private static boolean isEmptied(LeaseClients clients) {
    var tables = tables(clients);
    var known = new HashSet<Tunnel>();
    tables.ifPresent(all -> all.forEach(table -> known.addAll(table.keySet())));
    known.forEach(tunnel -> clients.release(0, tunnel));
    return tables.isPresent() && known.isEmpty();
  }

  private static Map<Tunnel, Held> awaitSameTables(LeaseClients clients) {
    return await("all nodes have the same table and listen for all that is in it")
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(200))
        .until(
            () -> tables(clients),
            tables ->
                tables.isPresent()
                    && tables.get().stream().distinct().count() == 1
                    && tables.get().getFirst().values().stream().allMatch(Held::listening))
        .orElseThrow()
        .getFirst();
  }

  private static Optional<List<Map<Tunnel, Held>>> tables(LeaseClients clients) {
    var tables = new ArrayList<Map<Tunnel, Held>>();
    for (int node = 0; node < NODES; node++) {
      var table = clients.table(node);
      if (table.isEmpty()) {
        return Optional.empty();
      }
      tables.add(table.get());
    }
    return Optional.of(tables);
  }

  /// All that helps to understand what went wrong, what tells most first: who prints it may cut it
  /// off.
  private String report(
      Throwable failure,
      ClusterLab lab,
      RealServer database,
      LeaseClients clients,
      LeaseFaults faults) {
    var report = new StringBuilder("seed " + seed + ": " + failure.getMessage() + "\n");
    report.append("--- violations\n");
    history.explained(faults.zero()).forEach(line -> report.append(line).append('\n'));
    report.append("--- nodes that ended, answers that are none\n");
    faults.complaints().forEach(line -> report.append(line).append('\n'));
    clients.complaints().forEach(line -> report.append(line).append('\n'));
    report.append("--- tables\n");
    for (int node = 0; node < NODES; node++) {
      report.append("node ").append(node).append(": ");
      report.append(clients.table(node).map(Object::toString).orElse("no answer")).append('\n');
    }
    report.append("--- faults\n");
    faults.log().forEach(line -> report.append(line).append('\n'));
    report.append("--- the database\n").append(database.report());
    return report + lab.report();
  }
}
