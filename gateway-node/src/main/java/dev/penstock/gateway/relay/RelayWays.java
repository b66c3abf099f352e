package dev.penstock.gateway.relay;

import dev.penstock.gateway.links.RemoteWays;
import dev.penstock.gateway.links.Way;
import dev.penstock.gateway.observe.RelayMeters;
import dev.penstock.protocol.net.EventLoops;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.pekko.actor.typed.ActorRef;

/// The ways over other nodes, by what those tell of their links: one for each event loop on which a
/// node has links of the cluster, so that a stream arrives on the loop that it will run on. Safe
/// for use by several threads.
final class RelayWays implements RemoteWays {
  /// Pairs of node and cluster that are remembered; the longest unused is forgotten first, and
  /// learned again with the next stream.
  private static final int REMEMBERED = 20_000;

  private final RemoteNodes nodes;
  private final EventLoops loops;
  private final ActorRef<Relay.Command> parent;
  private final RelayMeters meters;
  private final Map<Place, RelaySlot> slots = new ConcurrentHashMap<>();

  /// Guarded by itself.
  private final Map<There, RemoteCluster> known =
      new LinkedHashMap<>(64, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<There, RemoteCluster> eldest) {
          return size() > REMEMBERED;
        }
      };

  private record Place(String node, int loop) {}

  private record There(String node, String cluster) {}

  RelayWays(
      RemoteNodes nodes, EventLoops loops, ActorRef<Relay.Command> parent, RelayMeters meters) {
    this.nodes = nodes;
    this.loops = loops;
    this.parent = parent;
    this.meters = meters;
  }

  @Override
  public List<? extends Way> to(String cluster) {
    List<RemoteNodes.RemoteNode> with = nodes.withLinks(cluster);
    if (with.isEmpty()) {
      return List.of();
    }
    var ways = new ArrayList<RelayWay>(with.size());
    long now = System.nanoTime();
    for (RemoteNodes.RemoteNode node : with) {
      RemoteCluster there = there(node.id(), cluster);
      for (int loop : there.loops()) {
        RelaySlot slot = slot(node, loop);
        if (!slot.isResting(now)) {
          ways.add(new RelayWay(slot, cluster, there, node.outstanding(), node.links(), meters));
        }
      }
    }
    return ways;
  }

  private RemoteCluster there(String node, String cluster) {
    synchronized (known) {
      return known.computeIfAbsent(new There(node, cluster), _ -> new RemoteCluster());
    }
  }

  private RelaySlot slot(RemoteNodes.RemoteNode node, int loop) {
    return slots.computeIfAbsent(
        new Place(node.id(), loop), _ -> new RelaySlot(node, loop, loops.next(), parent));
  }

  /// Nobody has used the slot for long.
  void forget(RelaySlot slot) {
    slots.remove(new Place(slot.node().id(), slot.loopThere()), slot);
  }
}
