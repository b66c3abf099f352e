package dev.penstock.live;

import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/// The streams of one node that are open, those of TCP and the sessions of UDP apart, and the
/// totals of their tunnels. Safe for use by several threads; [#sample] by one at a time.
///
/// Memory: about 300 bytes for each open stream, and as much for each of at most [#MAX_TUNNELS]
/// tunnels.
public final class LiveStreams {
  /// Tunnels whose totals are kept. Those beyond share one entry that no tunnel shows.
  static final int MAX_TUNNELS = 200_000;

  /// What a stream's peer is.
  public enum Direction {
    /// At the gateway: what goes into a stream comes from a client.
    CLIENT_TO_PEER,
    /// At the agent: what comes out of a stream does.
    PEER_TO_SERVICE
  }

  private record Key(String cluster, String name) {}

  private final String prefix;
  private final Direction direction;
  private final AtomicLong numbers = new AtomicLong();
  private final Map<String, LiveStream> streams = new ConcurrentHashMap<>();
  private final Map<String, LiveStream> sessions = new ConcurrentHashMap<>();
  private final Map<Key, TunnelTotals> tunnels = new ConcurrentHashMap<>();
  private final LongAdder opened = new LongAdder();
  private final LongAdder refused = new LongAdder();
  private final TunnelTotals beyond = new TunnelTotals("", "");
  private long sampledAt = System.nanoTime();

  /// @param prefix of the ids, unlike that of any other node
  public LiveStreams(String prefix, Direction direction) {
    this.prefix = prefix;
    this.direction = direction;
  }

  /// A TCP connection that is being carried; it is to be [#streamEnded].
  ///
  /// @param close resets it, from any thread
  public LiveStream streamOpened(
      String cluster, String tunnel, LiveStream.Facts facts, Runnable close) {
    return opened(streams, "s", cluster, tunnel, facts, close);
  }

  /// A flow of datagrams that is being carried; it is to be [#sessionEnded].
  ///
  /// @param close ends it, from any thread
  public LiveStream sessionOpened(
      String cluster, String tunnel, LiveStream.Facts facts, Runnable close) {
    return opened(sessions, "u", cluster, tunnel, facts, close);
  }

  private LiveStream opened(
      Map<String, LiveStream> all,
      String letter,
      String cluster,
      String tunnel,
      LiveStream.Facts facts,
      Runnable close) {
    var totals = tunnel(cluster, tunnel);
    totals.opened();
    opened.increment();
    String id = prefix + "-" + letter + Long.toHexString(numbers.incrementAndGet());
    var stream = new LiveStream(id, facts, direction, totals, close);
    all.put(id, stream);
    return stream;
  }

  /// Again is no error.
  public void streamEnded(LiveStream stream) {
    ended(streams, stream);
  }

  /// Again is no error.
  public void sessionEnded(LiveStream stream) {
    ended(sessions, stream);
  }

  private static void ended(Map<String, LiveStream> all, LiveStream stream) {
    if (all.remove(stream.id()) != null) {
      stream.tunnel().ended(stream.bytesIn(), stream.bytesOut());
    }
  }

  /// The totals of a tunnel, from now on if there were none.
  public TunnelTotals tunnel(String cluster, String name) {
    var key = new Key(cluster, name);
    TunnelTotals known = tunnels.get(key);
    if (known != null) {
      return known;
    }
    return tunnels.size() >= MAX_TUNNELS
        ? beyond
        : tunnels.computeIfAbsent(key, _ -> new TunnelTotals(cluster, name));
  }

  /// A client was refused, or did not reach the service.
  public void refused(String cluster, String name) {
    refused.increment();
    tunnel(cluster, name).refused();
  }

  /// Streams and sessions of all tunnels that were opened, those of tunnels that are no more too.
  public long openedCount() {
    return opened.sum();
  }

  /// As [#openedCount], those that were [#refused].
  public long refusedCount() {
    return refused.sum();
  }

  /// The tunnel is no more.
  public void forget(String cluster, String name) {
    tunnels.remove(new Key(cluster, name));
  }

  /// TCP connections, in no order.
  public Collection<LiveStream> streams() {
    return streams.values();
  }

  /// Flows of datagrams, in no order.
  public Collection<LiveStream> sessions() {
    return sessions.values();
  }

  /// All tunnels that had anything to count, in no order.
  public Collection<TunnelTotals> tunnels() {
    return tunnels.values();
  }

  public Optional<LiveStream> stream(String id) {
    return Optional.ofNullable(streams.get(id));
  }

  public Optional<LiveStream> session(String id) {
    return Optional.ofNullable(sessions.get(id));
  }

  /// Finds out rates and totals anew; about once a second.
  public void sample(long nowNanos) {
    double seconds = Math.max(0.001, (nowNanos - sampledAt) / 1e9);
    sampledAt = nowNanos;
    tunnels.values().forEach(TunnelTotals::begin);
    streams.values().forEach(stream -> stream.sample(seconds));
    sessions.values().forEach(session -> session.sample(seconds));
    tunnels.values().forEach(tunnel -> tunnel.finish(seconds));
  }
}
