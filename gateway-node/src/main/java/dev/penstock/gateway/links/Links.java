package dev.penstock.gateway.links;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/// The links that take streams, by cluster. Safe for use by several threads.
public final class Links {
  private final ConcurrentHashMap<String, List<AgentLink>> byCluster = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<String, List<ActorRef<GatewayLink.Command>>> awaiting =
      new ConcurrentHashMap<>();
  private final int maxPerCluster;
  private volatile Consumer<String> watcher = _ -> {};

  /// @param maxPerCluster links of one cluster at a time
  public Links(int maxPerCluster) {
    this.maxPerCluster = maxPerCluster;
  }

  /// Adds a link, unless its cluster has too many.
  boolean add(AgentLink link) {
    var after =
        byCluster.compute(
            link.cluster(),
            (_, before) -> {
              if (before == null) {
                return List.of(link);
              }
              if (before.size() >= maxPerCluster) {
                return before;
              }
              var all = new ArrayList<>(before);
              all.add(link);
              return List.copyOf(all);
            });
    boolean added = after.contains(link);
    if (added) {
      watcher.accept(link.cluster());
    }
    return added;
  }

  void remove(AgentLink link) {
    byCluster.computeIfPresent(
        link.cluster(),
        (_, before) -> {
          var rest = new ArrayList<>(before);
          rest.remove(link);
          return rest.isEmpty() ? null : List.copyOf(rest);
        });
    watcher.accept(link.cluster());
  }

  /// Has `changed` told of each cluster whose links have changed, on any thread; it must not block.
  public void watch(Consumer<String> changed) {
    watcher = changed;
  }

  /// The clusters with links now.
  public Set<String> clusters() {
    return Set.copyOf(byCluster.keySet());
  }

  /// How many links of `cluster` take streams now.
  public int count(String cluster) {
    return byCluster.getOrDefault(cluster, List.of()).size();
  }

  /// Streams on the links of `cluster` now.
  public int outstanding(String cluster) {
    return byCluster.getOrDefault(cluster, List.of()).stream()
        .mapToInt(AgentLink::outstanding)
        .sum();
  }

  /// Has `link` told ([GatewayLink.TunnelsKnown]) when an agent of `cluster` next registers a
  /// tunnel, which shows that it has tunnels enabled.
  void awaitTunnels(String cluster, ActorRef<GatewayLink.Command> link) {
    awaiting.merge(
        cluster,
        List.of(link),
        (before, more) -> Stream.concat(before.stream(), more.stream()).distinct().toList());
  }

  /// The link has ended.
  void awaitNoLonger(String cluster, ActorRef<GatewayLink.Command> link) {
    awaiting.computeIfPresent(
        cluster,
        (_, before) -> {
          var rest = before.stream().filter(it -> !it.equals(link)).toList();
          return rest.isEmpty() ? null : rest;
        });
  }

  /// An agent of `cluster` has registered a tunnel.
  public void tunnelRegistered(String cluster) {
    var links = awaiting.remove(cluster);
    if (links != null) {
      links.forEach(link -> link.tell(new GatewayLink.TunnelsKnown()));
    }
  }

  /// The other links of a link's cluster.
  List<AgentLink> others(AgentLink link) {
    return byCluster.getOrDefault(link.cluster(), List.of()).stream()
        .filter(it -> !it.equals(link))
        .toList();
  }

  /// The link for the next stream of `cluster`, none of `tried`, a silent one only where no other
  /// is left; null when there is none. The choice is counted: [AgentLink#released] gives it back.
  public @Nullable AgentLink choose(String cluster, Set<AgentLink> tried, RandomGenerator random) {
    List<AgentLink> all = byCluster.getOrDefault(cluster, List.of());
    List<AgentLink> candidates =
        tried.isEmpty() ? all : all.stream().filter(link -> !tried.contains(link)).toList();
    if (candidates.isEmpty()) {
      return null;
    }
    List<AgentLink> speaking = candidates.stream().filter(link -> !link.isSilent()).toList();
    if (!speaking.isEmpty()) {
      candidates = speaking;
    }
    AgentLink chosen = PowerOfTwo.choose(candidates, AgentLink::outstanding, random);
    chosen.chosen();
    return chosen;
  }
}
