package dev.penstock.gateway.relay;

import dev.penstock.gateway.links.DialRecord;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/// What this node knows of the agents of one cluster at one other node. Safe for use by several
/// threads.
final class RemoteCluster {
  private static final List<Integer> GUESS = List.of(0);

  private final DialRecord dials = new DialRecord();
  private final AtomicInteger outstanding = new AtomicInteger();
  private volatile List<Integer> loops = GUESS;

  DialRecord dials() {
    return dials;
  }

  /// The loops of the other node on which the cluster's links live, as it last said: at least one.
  List<Integer> loops() {
    return loops;
  }

  void loops(List<Integer> said) {
    if (!said.isEmpty() && !said.equals(loops)) {
      loops = said;
    }
  }

  /// Streams that this node has given there.
  int outstanding() {
    return outstanding.get();
  }

  void chosen() {
    outstanding.incrementAndGet();
  }

  void released() {
    outstanding.decrementAndGet();
  }
}
