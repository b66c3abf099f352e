package dev.penstock.gateway.sources;

import dev.penstock.access.AccessRules;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/// Decides for one tunnel which new connections and flows may go on, by the rules of the gateway
/// and of the tunnel together: a tunnel can narrow what the gateway allows, never widen it. A
/// source is an IPv4 address or, because one host may have 2^64 of them, the /64 network of an IPv6
/// address.
///
/// Memory: one entry of about 150 bytes for each source that has a connection, and for the last
/// [#MAX_IDLE] that have none and were seen within the last second. Above that the one unseen for
/// longest is forgotten, and counted: it may be faster than its limit from then on, and no source
/// is refused on account of others.
///
/// Safe for use by several threads; every call is a few look-ups.
public final class SourceGuard {
  /// Sources without a connection that are remembered at a time.
  public static final int MAX_IDLE = 4096;

  /// Distinguishes IPv4 addresses from networks: ff00::/8 is no unicast address.
  private static final long IPV4 = 0xffffffff_00000000L;

  private final AccessRules gateway;
  private final Runnable forgotten;
  private final Map<Long, Source> busy = new HashMap<>();

  /// In the order in which they were last seen.
  private final LinkedHashMap<Long, Source> idle = new LinkedHashMap<>();

  private AccessRules tunnel;

  /// Admitted and not released, of all sources.
  private int open;

  private static final class Source {
    int connections;
    Pace pace;

    Source(Pace pace) {
      this.pace = pace;
    }
  }

  /// @param gateway bounds for every tunnel
  /// @param tunnel those of this one
  /// @param forgotten runs, under this guard's lock, when a source is forgotten before its time
  public SourceGuard(AccessRules gateway, AccessRules tunnel, Runnable forgotten) {
    this.gateway = gateway;
    this.tunnel = tunnel;
    this.forgotten = forgotten;
  }

  /// Replaces the tunnel's rules. Connections that were admitted stay, and count.
  public synchronized void rules(AccessRules rules) {
    tunnel = rules;
  }

  /// Decides on a new connection or flow. An admitted one is to be [#released] once.
  ///
  /// @param nowNanos a monotonic clock
  public synchronized Verdict admit(InetAddress address, long nowNanos) {
    if (AccessRules.anyContains(gateway.deny(), address)
        || AccessRules.anyContains(tunnel.deny(), address)) {
      return Verdict.DENIED;
    }
    if (!allows(gateway, address) || !allows(tunnel, address)) {
      return Verdict.NOT_ALLOWED;
    }
    int most = AccessRules.stricter(gateway.maxConnections(), tunnel.maxConnections());
    if (most > 0 && open >= most) {
      return Verdict.TUNNEL_FULL;
    }
    long key = key(address);
    Source source = busy.get(key);
    if (source == null) {
      source = idle.remove(key);
    }
    if (source == null) {
      source = new Source(Pace.full(nowNanos));
    }
    Verdict verdict = admit(source, nowNanos);
    if (source.connections > 0) {
      busy.put(key, source);
    } else {
      rest(key, source, nowNanos);
    }
    return verdict;
  }

  /// An admitted connection or flow is over.
  ///
  /// @param nowNanos a monotonic clock
  public synchronized void released(InetAddress address, long nowNanos) {
    long key = key(address);
    Source source = busy.get(key);
    if (source == null) {
      return;
    }
    open--;
    if (--source.connections == 0) {
      busy.remove(key);
      rest(key, source, nowNanos);
    }
  }

  /// Sources remembered now.
  synchronized int sources() {
    return busy.size() + idle.size();
  }

  private Verdict admit(Source source, long nowNanos) {
    int most =
        AccessRules.stricter(gateway.maxConnectionsPerSource(), tunnel.maxConnectionsPerSource());
    if (most > 0 && source.connections >= most) {
      return Verdict.TOO_MANY;
    }
    int perSecond =
        AccessRules.stricter(gateway.newConnectionsPerSecond(), tunnel.newConnectionsPerSecond());
    if (perSecond > 0) {
      if (!source.pace.hasToken(nowNanos, perSecond)) {
        return Verdict.TOO_FAST;
      }
      source.pace = source.pace.taken(nowNanos, perSecond);
    }
    source.connections++;
    open++;
    return Verdict.ADMITTED;
  }

  /// A source without connections is remembered until its bucket is full: then it is as good as
  /// new.
  private void rest(long key, Source source, long nowNanos) {
    Iterator<Source> eldest = idle.values().iterator();
    // At most two for each that comes, so that no call takes long and the old ones still go.
    for (int i = 0; i < 2 && eldest.hasNext(); i++) {
      if (!eldest.next().pace.isFull(nowNanos)) {
        break;
      }
      eldest.remove();
    }
    if (source.pace.isFull(nowNanos)) {
      return;
    }
    if (idle.size() == MAX_IDLE) {
      Iterator<Long> first = idle.keySet().iterator();
      first.next();
      first.remove();
      forgotten.run();
    }
    idle.put(key, source);
  }

  private static boolean allows(AccessRules rules, InetAddress address) {
    return rules.allow().isEmpty() || AccessRules.anyContains(rules.allow(), address);
  }

  private static long key(InetAddress address) {
    ByteBuffer bytes = ByteBuffer.wrap(address.getAddress());
    return bytes.remaining() == 4 ? IPV4 | (bytes.getInt() & 0xffffffffL) : bytes.getLong();
  }
}
