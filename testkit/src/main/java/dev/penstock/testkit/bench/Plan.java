package dev.penstock.testkit.bench;

import java.time.Duration;
import java.util.List;

/// What a run does.
///
/// @param measures in this order within each round
/// @param rounds how often each peer is measured; 1 or more
/// @param window how long each number is measured
/// @param lead how long the load runs before each window
/// @param settle how long connections rest before memory is read
/// @param warmUpBytes what goes through a JIT-compiled peer once, in each direction
/// @param warmUpPings round trips through a JIT-compiled peer, once
/// @param warmUpConnections that come and go through a JIT-compiled peer once
/// @param idleConnections steps of the memory measure; 1 or 2 of them
/// @param lifetime whether tunnels outlive a measure
record Plan(
    List<Measure> measures,
    int rounds,
    Duration window,
    Duration lead,
    Duration settle,
    long warmUpBytes,
    int warmUpPings,
    int warmUpConnections,
    List<Integer> idleConnections,
    Lifetime lifetime) {

  /// How long one process of a peer is used.
  enum Lifetime {
    /// All peers run from the beginning to the end and are idle while others are measured.
    WHOLE_RUN,
    /// A peer is started and warmed up for each measure of each round, alone.
    ONE_MEASURE
  }

  /// The normal run.
  static Plan full(List<Measure> measures, int rounds, Duration window, Lifetime lifetime) {
    return new Plan(
        measures,
        rounds,
        window,
        Duration.ofMillis(500),
        Duration.ofSeconds(2),
        10_000_000_000L,
        20_000,
        40_000,
        List.of(1_000, 10_000),
        lifetime);
  }

  /// A short run that shows that everything works; its numbers are not for quoting.
  static Plan quick(List<Measure> measures, int rounds, Duration window, Lifetime lifetime) {
    return new Plan(
        measures,
        rounds,
        window,
        Duration.ofMillis(100),
        Duration.ofMillis(100),
        50_000_000L,
        1_000,
        100,
        List.of(200),
        lifetime);
  }
}
