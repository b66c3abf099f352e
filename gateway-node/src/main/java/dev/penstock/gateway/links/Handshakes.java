package dev.penstock.gateway.links;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.random.RandomGenerator;

/// How fast this node takes links of all clusters together, so that thousands of agents which lost
/// another node come in a stream and not at once: a bound on handshakes under way and a pace. Time
/// is an argument, in nanoseconds of a monotonic clock. Safe for use by several threads.
///
/// One cluster may have a tenth of the places, and 4 at least, so that agents which never finish a
/// handshake keep out nobody but their own.
///
/// Who is refused is told when to come again: the more were refused lately, the longer are they
/// spread.
public final class Handshakes {
  private static final double NANOS_PER_SECOND = 1e9;
  private static final int MAX_SPREAD = 20;
  private static final int MIN_PER_CLUSTER = 4;

  /// A node that drains wants agents to look elsewhere, and then for its successor.
  private static final int MAX_WAIT_FOR_SUCCESSOR = 3;

  private final int maxOpen;
  private final int maxOpenPerCluster;
  private final int perSecond;
  private final Map<String, Integer> openByCluster = new HashMap<>();
  private int open;
  private double turns;
  private double refusals;
  private long filledAt;
  private boolean started;
  private boolean stopped;

  /// @param maxOpen handshakes under way at a time
  /// @param perSecond handshakes that begin in a second, in the long run and at once
  public Handshakes(int maxOpen, int perSecond) {
    this.maxOpen = maxOpen;
    this.maxOpenPerCluster = Math.max(MIN_PER_CLUSTER, maxOpen / 10);
    this.perSecond = perSecond;
    this.turns = perSecond;
  }

  /// Takes a handshake, which must be given back by [#over], or tells how long to stay away.
  public synchronized Optional<Duration> ask(String cluster, long now, RandomGenerator random) {
    if (stopped) {
      return Optional.of(Duration.ofSeconds(1L + random.nextInt(MAX_WAIT_FOR_SUCCESSOR)));
    }
    fill(now);
    int ofCluster = openByCluster.getOrDefault(cluster, 0);
    if (open < maxOpen && ofCluster < maxOpenPerCluster && turns >= 1) {
      turns--;
      open++;
      openByCluster.put(cluster, ofCluster + 1);
      return Optional.empty();
    }
    int spread = 1 + (int) Math.min(MAX_SPREAD - 1.0, refusals / perSecond);
    refusals++;
    return Optional.of(Duration.ofSeconds(1L + random.nextInt(spread)));
  }

  private void fill(long now) {
    if (started) {
      double earned = (now - filledAt) * perSecond / NANOS_PER_SECOND;
      turns = Math.min(perSecond, turns + earned);
      refusals = Math.max(0, refusals - earned);
    }
    started = true;
    filledAt = now;
  }

  /// A handshake that was taken has come to its end, whichever.
  public synchronized void over(String cluster) {
    open--;
    openByCluster.computeIfPresent(cluster, (_, count) -> count == 1 ? null : count - 1);
  }

  /// Takes no more from now on.
  public synchronized void stop() {
    stopped = true;
  }

  public synchronized boolean isStopped() {
    return stopped;
  }

  /// Handshakes under way.
  public synchronized int open() {
    return open;
  }
}
