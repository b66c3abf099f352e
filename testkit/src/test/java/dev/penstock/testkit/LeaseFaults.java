package dev.penstock.testkit;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/// Faults of a cluster and its database, drawn by a seed: what comes in which order follows from
/// it, not when. Every fifth is a heavy one, which lasts until the cluster gives a node up, or
/// kills; those go on while light ones come and go. Nodes that end are started again, as an init
/// system would. One owner.
final class LeaseFaults implements AutoCloseable {
  private static final int HEAVY_EVERY = 5;
  private static final Duration LOOK = Duration.ofMillis(100);

  /// Between two starts of a node that ends at once, as an init system waits.
  private static final long RESTART_NANOS = Duration.ofSeconds(1).toNanos();

  private static final int KILLED = 137;

  /// What can go wrong.
  private enum Light {
    PAUSE,
    ISOLATION,
    CUT,
    DATABASE_ABORTED,
    DATABASE_PAUSED,
    TWO_AT_ONCE
  }

  private enum Heavy {
    KILL,
    KILL_TWO,
    PAUSE,
    PAUSE_TWO,
    ISOLATION,
    CUT,
    DATABASE_ABORTED,
    DATABASE_PAUSED,
    KILL_WITHOUT_DATABASE
  }

  private static final List<Heavy> HEAVIES =
      List.of(
          Heavy.KILL,
          Heavy.KILL,
          Heavy.KILL,
          Heavy.KILL_TWO,
          Heavy.PAUSE,
          Heavy.PAUSE,
          Heavy.PAUSE,
          Heavy.PAUSE_TWO,
          Heavy.ISOLATION,
          Heavy.ISOLATION,
          Heavy.CUT,
          Heavy.DATABASE_ABORTED,
          Heavy.DATABASE_PAUSED,
          Heavy.KILL_WITHOUT_DATABASE);

  private final ClusterLab lab;
  private final RealServer database;
  private final SplittableRandom random;
  private final long zero = System.nanoTime();
  private final ConcurrentLinkedQueue<String> log = new ConcurrentLinkedQueue<>();
  private final ConcurrentLinkedQueue<String> complaints = new ConcurrentLinkedQueue<>();
  private final ScheduledExecutorService healing = Executors.newSingleThreadScheduledExecutor();
  private final CountDownLatch ended = new CountDownLatch(1);
  private final Thread init = Thread.ofPlatform().name("init").unstarted(this::startEndedNodes);

  /// Faults that last, by what they are of, and how many of them there are at the moment.
  private final Map<String, Integer> holds = new HashMap<>();

  /// How each of them is ended.
  private final Map<String, Runnable> ends = new HashMap<>();

  private final List<Future<?>> lasting = new ArrayList<>();
  private int count;

  LeaseFaults(ClusterLab lab, RealServer database, long seed) {
    this.lab = lab;
    this.database = database;
    this.random = new SplittableRandom(seed);
    init.start();
  }

  /// The moment that the times of the log count from, by [System#nanoTime].
  long zero() {
    return zero;
  }

  /// What happened, with times.
  List<String> log() {
    return List.copyOf(log);
  }

  /// What a node did that it should not.
  List<String> complaints() {
    return List.copyOf(complaints);
  }

  /// The next fault. Returns when it is over, or has begun if it is a heavy one.
  void next() throws InterruptedException, ExecutionException {
    count++;
    if (count % HEAVY_EVERY == 0) {
      awaitHeavy();
      heavy(HEAVIES.get(random.nextInt(HEAVIES.size())));
    } else {
      light(Light.values()[random.nextInt(Light.values().length)]).get();
    }
  }

  /// Whether the next fault is one that should find all nodes in place.
  boolean nextIsHeavy() {
    return (count + 1) % HEAVY_EVERY == 0;
  }

  /// Returns when the heavy faults are over.
  void awaitHeavy() throws InterruptedException, ExecutionException {
    for (Future<?> each : lasting) {
      each.get();
    }
    lasting.clear();
  }

  private Future<?> light(Light kind) {
    int node = random.nextInt(lab.size());
    int other = (node + 1 + random.nextInt(lab.size() - 1)) % lab.size();
    Duration hold = between(150, 1_200);
    return switch (kind) {
      case PAUSE -> pause(node, hold);
      case ISOLATION -> isolation(node, hold);
      case CUT -> cut(node, other, hold);
      case DATABASE_ABORTED -> databaseAborted(hold);
      case DATABASE_PAUSED -> databasePaused(hold);
      case TWO_AT_ONCE -> {
        var _ = random.nextBoolean() ? databaseAborted(hold) : databasePaused(hold);
        yield random.nextBoolean() ? isolation(node, hold) : pause(node, hold);
      }
    };
  }

  private void heavy(Heavy kind) {
    int node = random.nextInt(lab.size());
    int other = (node + 1 + random.nextInt(lab.size() - 1)) % lab.size();
    Duration hold = between(4_500, 8_000);
    switch (kind) {
      case KILL -> kill(node);
      case KILL_TWO -> {
        kill(node);
        kill(other);
      }
      case PAUSE -> lasting.add(pause(node, hold));
      case PAUSE_TWO -> {
        lasting.add(pause(node, hold));
        lasting.add(pause(other, hold));
      }
      case ISOLATION -> lasting.add(isolation(node, hold));
      case CUT -> lasting.add(cut(node, other, hold));
      case DATABASE_ABORTED -> lasting.add(databaseAborted(hold));
      case DATABASE_PAUSED -> lasting.add(databasePaused(hold));
      case KILL_WITHOUT_DATABASE -> {
        lasting.add(databaseAborted(hold.dividedBy(2)));
        kill(node);
      }
    }
  }

  private Duration between(int from, int to) {
    return Duration.ofMillis(random.nextInt(from, to));
  }

  // --- one by one ---

  private void kill(int node) {
    note("kill -9 of node " + node);
    lab.node(node).kill();
  }

  private Future<?> pause(int node, Duration hold) {
    NodeProcess process = lab.node(node);
    return hold(
        "pause of node " + node,
        hold,
        () -> {
          if (process.isRunning()) {
            process.pause();
          }
        },
        () -> {
          if (process.isRunning()) {
            process.resume();
          }
        });
  }

  private Future<?> cut(int one, int other, Duration hold) {
    int low = Math.min(one, other);
    int high = Math.max(one, other);
    return hold(
        "cut between nodes " + low + " and " + high,
        hold,
        () -> lab.cut(low, high),
        () -> lab.heal(low, high));
  }

  private Future<?> isolation(int node, Duration hold) {
    Future<?> last = null;
    for (int other = 0; other < lab.size(); other++) {
      if (other != node) {
        last = cut(node, other, hold);
      }
    }
    return last;
  }

  private Future<?> databaseAborted(Duration hold) {
    return hold("database gone", hold, database::abort, database::startAgain);
  }

  private Future<?> databasePaused(Duration hold) {
    return hold("database paused", hold, database::pause, database::resume);
  }

  /// Begins a fault and ends it later. Of two of one thing that overlap, the first begins it and
  /// the last ends it.
  private Future<?> hold(String what, Duration hold, Runnable begin, Runnable end) {
    synchronized (holds) {
      // A paused database cannot be ended in order, so it is one thing.
      String thing = what.startsWith("database") ? "database" : what;
      note(what + " for " + hold.toMillis() + " ms");
      if (holds.merge(thing, 1, Integer::sum) == 1) {
        begin.run();
        ends.put(thing, end);
      }
      return healing.schedule(() -> over(thing), hold.toMillis(), TimeUnit.MILLISECONDS);
    }
  }

  private void over(String thing) {
    synchronized (holds) {
      if (holds.merge(thing, -1, Integer::sum) == 0) {
        ends.remove(thing).run();
        note("over: " + thing);
      }
    }
  }

  private void note(String what) {
    String line = "%9.3f s  %s".formatted((System.nanoTime() - zero) / 1e9, what);
    log.add(line);
    System.out.println(line);
  }

  // --- the init system ---

  private void startEndedNodes() {
    long[] startedAt = new long[lab.size()];
    try {
      while (!ended.await(LOOK.toMillis(), TimeUnit.MILLISECONDS)) {
        for (int i = 0; i < lab.size(); i++) {
          NodeProcess node = lab.node(i);
          if (!node.isRunning() && System.nanoTime() - startedAt[i] > RESTART_NANOS) {
            int code = node.awaitExit();
            note("node " + i + " ended with " + code + ", started again");
            if (code != 1 && code != KILLED) {
              complaints.add("node " + i + " ended with " + code + "\n" + node.report());
            }
            startedAt[i] = System.nanoTime();
            lab.startNode(i);
          }
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Undoes what lasts and starts no more nodes.
  @Override
  public void close() {
    ended.countDown();
    try {
      init.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    healing.shutdownNow();
    synchronized (holds) {
      ends.values().forEach(Runnable::run);
    }
  }
}
