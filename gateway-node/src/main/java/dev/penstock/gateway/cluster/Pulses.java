package dev.penstock.gateway.cluster;

import dev.penstock.config.HostPort;
import java.time.Duration;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// What the signs of life in the database say: which nodes live, whether a cluster may be formed,
/// and whether another one is to live on instead of this node's. Pure; one owner.
///
/// Only changes count, so that the clocks of machines do not matter: a node lives when its beat has
/// changed within the last while, and is dead when it has been watched for a while without a
/// change. In between nothing is known of it.
final class Pulses {
  /// The larger cluster, of equal ones the earlier.
  private static final Comparator<Map.Entry<Founding, Integer>> BEST =
      Map.Entry.<Founding, Integer>comparingByValue()
          .thenComparing(Map.Entry.comparingByKey(Comparator.reverseOrder()));

  private final NodeId self;
  private final long quietNanos;
  private final Map<HostPort, Watched> others = new HashMap<>();
  private boolean isRead;
  private long lastNumber;
  private @Nullable Long outnumberedSince;

  /// @param since when this very sign was seen first
  /// @param isChange another one of the same address was seen before
  private record Watched(Pulse pulse, long since, boolean isChange) {}

  /// @param self whose own sign, also of an earlier life, says nothing
  /// @param quiet the while: a few times longer than between two beats
  Pulses(NodeId self, Duration quiet) {
    this.self = self;
    this.quietNanos = quiet.toNanos();
  }

  /// All signs as they are now.
  void seen(Collection<Pulse> all, long nowNanos) {
    isRead = true;
    var there = new HashMap<HostPort, Pulse>();
    for (Pulse pulse : all) {
      lastNumber = Math.max(lastNumber, pulse.founding().number());
      if (!pulse.node().address().equals(self.address())) {
        there.put(pulse.node().address(), pulse);
      }
    }
    others.keySet().retainAll(there.keySet());
    there.forEach((address, pulse) -> {
      Watched before = others.get(address);
      if (before == null || !before.pulse().equals(pulse)) {
        others.put(address, new Watched(pulse, nowNanos, before != null));
      }
    });
  }

  /// The signs could not be read: perhaps nobody could write any either, so watching begins anew.
  void missed() {
    isRead = false;
    others.clear();
    outnumberedSince = null;
  }

  /// Whether no other node of any cluster lives for sure.
  boolean mayFound(long nowNanos) {
    return isRead && others.values().stream().allMatch(it -> isDead(it, quietNanos, nowNanos));
  }

  /// The other nodes that live, in the order of their addresses.
  List<HostPort> living(long nowNanos) {
    return living(_ -> true, nowNanos);
  }

  private List<HostPort> living(Predicate<Pulse> which, long nowNanos) {
    return others.entrySet().stream()
        .filter(it -> isLiving(it.getValue(), nowNanos) && which.test(it.getValue().pulse()))
        .map(Map.Entry::getKey)
        .sorted(Formation.ORDER)
        .toList();
  }

  /// The nodes that have been dead for `time`.
  List<NodeId> dead(Duration time, long nowNanos) {
    return others.values().stream()
        .filter(it -> isDead(it, time.toNanos(), nowNanos))
        .map(it -> it.pulse().node())
        .toList();
  }

  /// Which cluster nodes say they are members of; empty when none of them has said so.
  Optional<Founding> foundingOf(Set<NodeId> members) {
    return others.values().stream()
        .map(Watched::pulse)
        .filter(it -> it.founding().isKnown() && members.contains(it.node()))
        .map(Pulse::founding)
        .findFirst();
  }

  /// Of a cluster that this node forms now.
  Founding next() {
    return new Founding(lastNumber + 1, self.toString());
  }

  /// The living nodes of the cluster that is to live on instead of `mine`, which this node is in:
  /// the one with more nodes that live, of equal ones the one that was formed first. Told once it
  /// has been so for a while, lest a moment in which nodes change sides decide; empty for none.
  List<HostPort> rivals(Founding mine, long nowNanos) {
    var sizes = new HashMap<Founding, Integer>();
    sizes.put(mine, 1);
    for (Watched other : others.values()) {
      if (other.pulse().founding().isKnown() && isLiving(other, nowNanos)) {
        sizes.merge(other.pulse().founding(), 1, Integer::sum);
      }
    }
    Founding best = Collections.max(sizes.entrySet(), BEST).getKey();
    if (best.equals(mine)) {
      outnumberedSince = null;
      return List.of();
    }
    if (outnumberedSince == null) {
      outnumberedSince = nowNanos;
    }
    return nowNanos - outnumberedSince >= quietNanos
        ? living(it -> it.founding().equals(best), nowNanos)
        : List.of();
  }

  private boolean isLiving(Watched other, long nowNanos) {
    return other.isChange() && nowNanos - other.since() < quietNanos;
  }

  private static boolean isDead(Watched other, long timeNanos, long nowNanos) {
    return nowNanos - other.since() >= timeNanos;
  }
}
