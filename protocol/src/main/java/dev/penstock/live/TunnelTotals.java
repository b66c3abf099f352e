package dev.penstock.live;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/// What went through one tunnel at this node. Any thread; bytes and rates are those of the last
/// sample.
public final class TunnelTotals {
  private final String cluster;
  private final String name;
  private final String id;
  private final LongAdder opened = new LongAdder();
  private final LongAdder refused = new LongAdder();
  private final AtomicInteger open = new AtomicInteger();
  private final LongAdder endedIn = new LongAdder();
  private final LongAdder endedOut = new LongAdder();
  private volatile long lastOpenedAt;
  private volatile long bytesIn;
  private volatile long bytesOut;
  private volatile long rateIn;
  private volatile long rateOut;

  /// The sampler's own: of streams that are open, while it counts them.
  private long openIn;

  private long openOut;

  /// The sampler's own: of those that had ended when it began.
  private long beforeIn;

  private long beforeOut;

  TunnelTotals(String cluster, String name) {
    this.cluster = cluster;
    this.name = name;
    this.id = idOf(cluster, name);
  }

  /// The id of a tunnel in paths, the same on every node: its name may have slashes in it.
  public static String idOf(String cluster, String name) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256")
              .digest((cluster + "\n" + name).getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest, 0, 8);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  public String cluster() {
    return cluster;
  }

  public String name() {
    return name;
  }

  public String id() {
    return id;
  }

  void opened() {
    opened.increment();
    open.incrementAndGet();
    lastOpenedAt = System.currentTimeMillis();
  }

  void ended(long in, long out) {
    endedIn.add(in);
    endedOut.add(out);
    open.decrementAndGet();
  }

  void refused() {
    refused.increment();
  }

  /// Streams and sessions that were opened.
  public long openedCount() {
    return opened.sum();
  }

  public long refusedCount() {
    return refused.sum();
  }

  /// Streams and sessions that are open.
  public int open() {
    return open.get();
  }

  /// In milliseconds since 1970; 0 for never.
  public long lastOpenedAt() {
    return lastOpenedAt;
  }

  public long bytesIn() {
    return bytesIn;
  }

  public long bytesOut() {
    return bytesOut;
  }

  public long rateIn() {
    return rateIn;
  }

  public long rateOut() {
    return rateOut;
  }

  // --- for the sampler, one thread at a time ---

  void begin() {
    beforeIn = endedIn.sum();
    beforeOut = endedOut.sum();
    openIn = 0;
    openOut = 0;
  }

  void addOpen(long in, long out) {
    openIn += in;
    openOut += out;
  }

  /// A stream that ended meanwhile is in neither sum: what is told never goes back for that.
  void finish(double seconds) {
    long in = Math.max(bytesIn, beforeIn + openIn);
    long out = Math.max(bytesOut, beforeOut + openOut);
    rateIn = Math.round((in - bytesIn) / seconds);
    rateOut = Math.round((out - bytesOut) / seconds);
    bytesIn = in;
    bytesOut = out;
  }
}
