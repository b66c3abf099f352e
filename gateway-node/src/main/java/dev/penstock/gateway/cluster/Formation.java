package dev.penstock.gateway.cluster;

import dev.penstock.config.HostPort;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// Whom to ask for the cluster, and when to form a new one, from addresses that were looked up
/// again and again. Pure; one owner.
///
/// Every node asks all others at once and joins the cluster that the first of them is in. Only the
/// node with the lowest address may form a new cluster, when enough addresses are known, they have
/// been the same for a while, and every one of them accepts connections: then no cluster can exist
/// that this node does not hear of, unless its nodes are not among the addresses.
final class Formation {
  static final Comparator<HostPort> ORDER =
      Comparator.comparing(HostPort::host).thenComparingInt(HostPort::port);

  private final HostPort self;
  private final int minNodes;
  private final long stableNanos;
  private Set<HostPort> known = Set.of();
  private long knownSince;
  private @Nullable List<HostPort> asked;

  /// @param self this node's address, as it is looked up
  /// @param stable how long the addresses must have been the same
  Formation(HostPort self, int minNodes, Duration stable) {
    this.self = self;
    this.minNodes = minNodes;
    this.stableNanos = stable.toNanos();
  }

  /// What a lookup found.
  ///
  /// @param accepting those of `found` that accept connections
  /// @param mayFound whether the database lets this node form a cluster
  /// @return whom to ask from now on, in this order, this node itself first when it may form a
  ///   cluster; empty for no change
  Optional<List<HostPort>> found(
      Set<HostPort> found, Set<HostPort> accepting, boolean mayFound, long nowNanos) {
    var others = new TreeSet<>(ORDER);
    others.addAll(found);
    others.remove(self);
    if (!others.equals(known)) {
      known = others;
      knownSince = nowNanos;
    }
    var seeds = new ArrayList<HostPort>();
    if (mayFound && mayForm(others, accepting, nowNanos)) {
      seeds.add(self);
    }
    seeds.addAll(others);
    if (seeds.isEmpty() || seeds.equals(asked)) {
      return Optional.empty();
    }
    asked = seeds;
    return Optional.of(List.copyOf(seeds));
  }

  private boolean mayForm(SortedSet<HostPort> others, Set<HostPort> accepting, long nowNanos) {
    return others.size() + 1 >= minNodes
        && (others.isEmpty() || ORDER.compare(self, others.first()) < 0)
        && nowNanos - knownSince >= stableNanos
        && accepting.containsAll(others);
  }
}
