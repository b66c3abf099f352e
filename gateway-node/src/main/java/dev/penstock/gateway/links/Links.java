package dev.penstock.gateway.links;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// The links that take streams, by cluster. Safe for use by several threads.
public final class Links {
  private final ConcurrentHashMap<String, List<AgentLink>> byCluster = new ConcurrentHashMap<>();
  private final int maxPerCluster;

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
    return after.contains(link);
  }

  void remove(AgentLink link) {
    byCluster.computeIfPresent(
        link.cluster(),
        (_, before) -> {
          var rest = new ArrayList<>(before);
          rest.remove(link);
          return rest.isEmpty() ? null : List.copyOf(rest);
        });
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
