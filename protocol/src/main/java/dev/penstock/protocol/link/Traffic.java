package dev.penstock.protocol.link;

import java.util.concurrent.atomic.LongAdder;

/// Running totals of payload bytes, updated while streams run. Safe for use by several threads.
public final class Traffic {
  private final LongAdder toPeer = new LongAdder();
  private final LongAdder fromPeer = new LongAdder();

  void addToPeer(int bytes) {
    toPeer.add(bytes);
  }

  void addFromPeer(int bytes) {
    fromPeer.add(bytes);
  }

  /// Bytes that went into streams.
  public long toPeer() {
    return toPeer.sum();
  }

  /// Bytes that came out of streams.
  public long fromPeer() {
    return fromPeer.sum();
  }
}
