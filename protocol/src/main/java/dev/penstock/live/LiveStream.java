package dev.penstock.live;

import dev.penstock.protocol.link.ByteCount;
import org.jspecify.annotations.Nullable;

/// One stream or session that is open. Facts are for any thread; bytes are counted by its loop.
public final class LiveStream {
  private final String id;
  private final Facts facts;
  private final LiveStreams.Direction direction;
  private final TunnelTotals tunnel;
  private final Runnable close;
  private final long openedAt = System.currentTimeMillis();
  private final ByteCount count = new ByteCount();
  private volatile boolean open;
  private volatile @Nullable String backend;

  /// Of the last sample; the sampler's own.
  private long seenIn;

  private long seenOut;
  private volatile long rateIn;
  private volatile long rateOut;

  /// Where a stream comes from and what carries it.
  ///
  /// @param client host and port of the client; null when that is not told
  /// @param link the id of the link; null when another node has it
  /// @param via the node that has the link; null when this one has
  public record Facts(@Nullable String client, @Nullable String link, @Nullable String via) {}

  LiveStream(
      String id,
      Facts facts,
      LiveStreams.Direction direction,
      TunnelTotals tunnel,
      Runnable close) {
    this.id = id;
    this.facts = facts;
    this.direction = direction;
    this.tunnel = tunnel;
    this.close = close;
  }

  public String id() {
    return id;
  }

  public Facts facts() {
    return facts;
  }

  public TunnelTotals tunnel() {
    return tunnel;
  }

  /// In milliseconds since 1970.
  public long openedAt() {
    return openedAt;
  }

  /// What its carrier counts with.
  public ByteCount count() {
    return count;
  }

  /// The service was reached.
  public void reached() {
    open = true;
  }

  /// Which of a service's endpoints was reached.
  public void reached(String endpoint) {
    backend = endpoint;
    open = true;
  }

  public boolean isOpen() {
    return open;
  }

  /// Null while that is not known.
  public @Nullable String backend() {
    return backend;
  }

  /// Resets it at both ends, soon.
  public void close() {
    close.run();
  }

  /// Bytes from the client to the service.
  public long bytesIn() {
    return direction == LiveStreams.Direction.CLIENT_TO_PEER ? count.toPeer() : count.fromPeer();
  }

  /// Bytes from the service to the client.
  public long bytesOut() {
    return direction == LiveStreams.Direction.CLIENT_TO_PEER ? count.fromPeer() : count.toPeer();
  }

  /// Bytes per second when last sampled.
  public long rateIn() {
    return rateIn;
  }

  /// As [#rateIn], the other way.
  public long rateOut() {
    return rateOut;
  }

  void sample(double seconds) {
    long in = bytesIn();
    long out = bytesOut();
    rateIn = Math.round((in - seenIn) / seconds);
    rateOut = Math.round((out - seenOut) / seconds);
    seenIn = in;
    seenOut = out;
    tunnel.addOpen(in, out);
  }
}
