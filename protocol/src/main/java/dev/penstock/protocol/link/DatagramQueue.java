package dev.penstock.protocol.link;

import dev.penstock.protocol.yamux.ByteBudget;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The datagrams of one flow that wait, in order. When it is full the oldest goes: of what is late
/// anyway the newest is worth most. No I/O, no clock, one owner.
///
/// Memory: [Limits] per queue, and what all queues hold together is taken from a budget.
public final class DatagramQueue {
  /// Charged for a datagram beside its bytes, so that many small ones are not free.
  static final int OVERHEAD = 64;

  /// The bounds of one queue.
  ///
  /// @param bytes at least 128 KiB, so that two of the largest datagrams fit
  /// @param datagrams at least 1
  public record Limits(int bytes, int datagrams) {
    private static final int LEAST_BYTES = 128 * 1024;

    public Limits {
      if (bytes < LEAST_BYTES) {
        throw new IllegalArgumentException(
            "bytes: " + bytes + " (expected: at least " + LEAST_BYTES + ")");
      }
      if (datagrams < 1) {
        throw new IllegalArgumentException("datagrams: " + datagrams + " (expected: at least 1)");
      }
    }

    /// 1 MiB and 4096 datagrams: 40 ms of 100,000 a second.
    public static Limits defaults() {
      return new Limits(1024 * 1024, 4096);
    }
  }

  private final Limits limits;
  private final ByteBudget budget;
  private final DatagramTraffic traffic;
  private final ArrayDeque<ByteBuffer> waiting = new ArrayDeque<>(4);
  private int bytes;

  /// @param budget shared by all queues of the process
  /// @param traffic where drops are counted
  public DatagramQueue(Limits limits, ByteBudget budget, DatagramTraffic traffic) {
    this.limits = limits;
    this.budget = budget;
    this.traffic = traffic;
  }

  /// What a datagram is charged.
  public static int costOf(ByteBuffer datagram) {
    return datagram.remaining() + OVERHEAD;
  }

  /// Adds at the end, at the cost of the oldest.
  public void add(ByteBuffer datagram) {
    int cost = costOf(datagram);
    while (waiting.size() == limits.datagrams() || bytes + cost > limits.bytes()) {
      dropOldest(DatagramDrop.QUEUE_FULL);
    }
    while (!budget.tryReserve(cost)) {
      if (waiting.isEmpty()) {
        traffic.addDropped(DatagramDrop.OVER_BUDGET, 1);
        return;
      }
      dropOldest(DatagramDrop.OVER_BUDGET);
    }
    bytes += cost;
    waiting.add(datagram);
  }

  /// Puts datagrams that were taken before back to the front, in their order. Those for which there
  /// is no room are the oldest and go, the first ones first.
  public void putBack(List<ByteBuffer> datagrams) {
    for (int i = datagrams.size() - 1; i >= 0; i--) {
      int cost = costOf(datagrams.get(i));
      DatagramDrop why =
          waiting.size() == limits.datagrams() || bytes + cost > limits.bytes()
              ? DatagramDrop.QUEUE_FULL
              : budget.tryReserve(cost) ? null : DatagramDrop.OVER_BUDGET;
      if (why != null) {
        traffic.addDropped(why, i + 1);
        return;
      }
      bytes += cost;
      waiting.addFirst(datagrams.get(i));
    }
  }

  /// Takes the oldest; null when none waits.
  public @Nullable ByteBuffer poll() {
    ByteBuffer oldest = waiting.poll();
    if (oldest != null) {
      int cost = costOf(oldest);
      bytes -= cost;
      budget.release(cost);
    }
    return oldest;
  }

  public boolean isEmpty() {
    return waiting.isEmpty();
  }

  public int size() {
    return waiting.size();
  }

  /// Drops all that waits.
  public void clear(DatagramDrop why) {
    while (!waiting.isEmpty()) {
      dropOldest(why);
    }
  }

  private void dropOldest(DatagramDrop why) {
    poll();
    traffic.addDropped(why, 1);
  }
}
