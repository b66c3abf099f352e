package dev.penstock.gateway.links;

import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// Agents' sockets by cluster: how many are open, how fast new ones come, and whether the cluster
/// was linked a moment ago. Time is an argument. Safe for use by several threads.
///
/// Memory: one entry per cluster that has a token and was ever seen.
///
/// An old socket is never closed because a new one came. The original agent answers every close
/// with a new socket, so that two agents of one identity, or one agent whose old reader notices
/// late, would drive each other out for ever. Sockets beyond the bounds are refused before the
/// upgrade, because only a refused upgrade lets that agent's wait grow.
public final class Arrivals {
  private static final Duration RETURN = Duration.ofMinutes(2);
  private static final double NANOS_PER_MINUTE = 60e9;

  /// What to answer to an upgrade.
  public enum Verdict {
    WELCOME,
    TOO_MANY_SOCKETS,
    /// The cluster's upgrades come faster than it may make them.
    TOO_FAST
  }

  private final int maxSockets;
  private final int perMinute;
  private final int burst;
  private final Map<String, Cluster> clusters = new ConcurrentHashMap<>();

  /// @param maxSockets open sockets of one cluster and kind at a time
  /// @param perMinute gateway sockets that one cluster may open in the long run; at once it may
  ///   open as many, or `maxSockets` where that is more
  public Arrivals(int maxSockets, int perMinute) {
    this.maxSockets = maxSockets;
    this.perMinute = perMinute;
    this.burst = Math.max(perMinute, maxSockets);
  }

  /// Decides on an upgrade; one that is welcome counts for the pace. Controller sockets have no
  /// pace: an original agent whose first one is refused never tries again.
  ///
  /// @param now nanoseconds of a monotonic clock
  public Verdict ask(String cluster, GatewayLink.Socket socket, long now) {
    Cluster known = cluster(cluster);
    synchronized (known) {
      if (known.open(socket) >= maxSockets) {
        return Verdict.TOO_MANY_SOCKETS;
      }
      if (socket == GatewayLink.Socket.GATEWAY && !known.takesTurn(now)) {
        return Verdict.TOO_FAST;
      }
      return Verdict.WELCOME;
    }
  }

  /// An upgrade that was [Verdict#WELCOME] was refused for a reason that has nothing to do with its
  /// cluster, and is not to count for the cluster's pace.
  public void notTaken(String cluster, GatewayLink.Socket socket) {
    Cluster known = cluster(cluster);
    synchronized (known) {
      if (socket == GatewayLink.Socket.GATEWAY) {
        known.giveTurnBack();
      }
    }
  }

  /// An upgrade is done.
  public void opened(String cluster, GatewayLink.Socket socket) {
    Cluster known = cluster(cluster);
    synchronized (known) {
      known.sockets.merge(socket, 1, Integer::sum);
    }
  }

  /// A socket that was [#opened] is gone.
  public void closed(String cluster, GatewayLink.Socket socket) {
    Cluster known = cluster(cluster);
    synchronized (known) {
      known.sockets.merge(socket, -1, Integer::sum);
    }
  }

  /// A link of the cluster came to carry streams, or ceased to.
  public void linked(String cluster, long now) {
    Cluster known = cluster(cluster);
    synchronized (known) {
      known.lastLinked = now;
    }
  }

  /// Whether a link that opens now may be a reconnect: an original agent with streams on its old
  /// link is deaf for 30 s then.
  public boolean isReturn(String cluster, long now) {
    Cluster known = cluster(cluster);
    synchronized (known) {
      return known.lastLinked != null && now - known.lastLinked < RETURN.toNanos();
    }
  }

  private Cluster cluster(String name) {
    return clusters.computeIfAbsent(name, _ -> new Cluster());
  }

  /// Guarded by itself.
  private final class Cluster {
    final Map<GatewayLink.Socket, Integer> sockets = new EnumMap<>(GatewayLink.Socket.class);
    private double turns = burst;
    private @Nullable Long filledAt;
    @Nullable Long lastLinked;

    int open(GatewayLink.Socket socket) {
      return sockets.getOrDefault(socket, 0);
    }

    boolean takesTurn(long now) {
      if (filledAt != null) {
        turns = Math.min(burst, turns + (now - filledAt) * perMinute / NANOS_PER_MINUTE);
      }
      filledAt = now;
      if (turns < 1) {
        return false;
      }
      turns--;
      return true;
    }

    void giveTurnBack() {
      turns = Math.min(burst, turns + 1);
    }
  }
}
