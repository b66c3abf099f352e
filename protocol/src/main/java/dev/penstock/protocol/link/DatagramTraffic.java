package dev.penstock.protocol.link;

import static java.util.Objects.requireNonNull;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/// Running totals of datagrams, updated while they flow. Every datagram that a socket or a stream
/// gave is counted once: as sent on, or as dropped for one reason. Safe for use by several threads.
public final class DatagramTraffic {
  private final LongAdder toPeer = new LongAdder();
  private final LongAdder bytesToPeer = new LongAdder();
  private final LongAdder fromPeer = new LongAdder();
  private final LongAdder bytesFromPeer = new LongAdder();
  private final Map<DatagramDrop, LongAdder> dropped = new EnumMap<>(DatagramDrop.class);

  public DatagramTraffic() {
    for (DatagramDrop why : DatagramDrop.values()) {
      dropped.put(why, new LongAdder());
    }
  }

  /// Datagrams went into a stream.
  public void addToPeer(int datagrams, long bytes) {
    toPeer.add(datagrams);
    bytesToPeer.add(bytes);
  }

  /// Datagrams of a stream went to a socket; negative when it did not send them after all.
  public void addFromPeer(int datagrams, long bytes) {
    fromPeer.add(datagrams);
    bytesFromPeer.add(bytes);
  }

  public void addDropped(DatagramDrop why, long datagrams) {
    if (datagrams > 0) {
      requireNonNull(dropped.get(why)).add(datagrams);
    }
  }

  /// Datagrams that went into streams.
  public long toPeer() {
    return toPeer.sum();
  }

  public long bytesToPeer() {
    return bytesToPeer.sum();
  }

  /// Datagrams that came out of streams and were sent.
  public long fromPeer() {
    return fromPeer.sum();
  }

  public long bytesFromPeer() {
    return bytesFromPeer.sum();
  }

  public long dropped(DatagramDrop why) {
    return requireNonNull(dropped.get(why)).sum();
  }
}
