package dev.penstock.live;

import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;

/// What a gateway node and an agent show of themselves alike. Safe for use by several threads.
public abstract class LiveNode {
  private final String prefix = String.format("%08x", ThreadLocalRandom.current().nextInt());
  private final long startedAt = System.currentTimeMillis();
  private final AtomicLong numbers = new AtomicLong();
  private final EventLog events = new EventLog(prefix);
  private final LiveStreams streams;

  protected LiveNode(LiveStreams.Direction direction) {
    streams = new LiveStreams(prefix, direction);
  }

  /// What the ids of this node's things begin with; of no other node's, as far as chance goes.
  public String prefix() {
    return prefix;
  }

  /// In milliseconds since 1970.
  public long startedAt() {
    return startedAt;
  }

  public LiveStreams streams() {
    return streams;
  }

  public EventLog events() {
    return events;
  }

  /// An id for a link or an agent.
  ///
  /// @param letter of its kind
  public String nextId(String letter) {
    return prefix + "-" + letter + Long.toHexString(numbers.incrementAndGet());
  }
}
