package dev.penstock.gateway.links;

import dev.penstock.protocol.net.Loop;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/// The links that take streams, by cluster. Safe for use by several threads.
public final class Links {
  private final ConcurrentHashMap<String, List<AgentLink>> byCluster = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<String, List<ActorRef<GatewayLink.Command>>> awaiting =
      new ConcurrentHashMap<>();
  private final UdpSessions udpSessions = new UdpSessions();
  private final int maxPerCluster;
  private volatile Consumer<String> watcher = _ -> {};
  private volatile RemoteWays elsewhere = RemoteWays.NONE;

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

  /// The UDP sessions that this node carries, over whatever link.
  public UdpSessions udpSessions() {
    return udpSessions;
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

  /// Has clients carried by other nodes too.
  public void reachOver(RemoteWays ways) {
    elsewhere = ways;
  }

  /// The way for the next stream of `cluster`, none of `tried`, one that is not fit only where no
  /// other is left; null when there is none. The choice is counted: [Way#released] gives it back.
  public @Nullable Way choose(String cluster, Set<Way> tried, RandomGenerator random) {
    List<? extends Way> here = without(tried, byCluster.getOrDefault(cluster, List.of()));
    RemoteWays remote = elsewhere;
    long now = System.nanoTime();
    Way chosen =
        Choice.<Way>choose(
            fit(here, now), () -> fit(without(tried, remote.to(cluster)), now), Way::load, random);
    if (chosen == null) {
      chosen =
          Choice.<Way>choose(here, () -> without(tried, remote.to(cluster)), Way::load, random);
    }
    if (chosen != null) {
      chosen.chosen();
    }
    return chosen;
  }

  /// As [#choose], of the links to this node that live on `loop`; any, where that is null.
  public @Nullable AgentLink chooseHere(
      String cluster, Set<Way> tried, @Nullable Loop loop, RandomGenerator random) {
    List<AgentLink> here =
        byCluster.getOrDefault(cluster, List.of()).stream()
            .filter(link -> !tried.contains(link))
            .filter(link -> loop == null || loop.equals(link.loop()))
            .toList();
    List<? extends AgentLink> fit = fit(here, System.nanoTime());
    AgentLink chosen =
        Choice.<AgentLink>choose(fit.isEmpty() ? here : fit, List::of, Way::load, random);
    if (chosen != null) {
      chosen.chosen();
    }
    return chosen;
  }

  /// The positions of the loops on which links of `cluster` live, in order.
  public SortedSet<Integer> loops(String cluster) {
    return byCluster.getOrDefault(cluster, List.of()).stream()
        .map(link -> link.loop().index())
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static List<? extends Way> without(Set<Way> tried, List<? extends Way> ways) {
    return tried.isEmpty() ? ways : ways.stream().filter(way -> !tried.contains(way)).toList();
  }

  /// Usually all of them: then no list is made.
  private static <T extends Way> List<? extends T> fit(List<? extends T> ways, long now) {
    for (T way : ways) {
      if (!way.isFit(now)) {
        return ways.stream().filter(it -> it.isFit(now)).toList();
      }
    }
    return ways;
  }
}
