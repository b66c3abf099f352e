package dev.penstock.gateway.cluster;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// What a node knows of the others, joined from three sources that arrive in any order: who is a
/// member, who can be heard, and what each tells. Pure; one owner.
final class Roster {
  private static final Comparator<NodeInfo> BY_ADDRESS =
      Comparator.comparing((NodeInfo it) -> it.id().address().toString())
          .thenComparingLong(it -> it.id().incarnation());

  private final NodeId self;
  private final Set<NodeId> members = new HashSet<>();
  private final Set<NodeId> unreachable = new HashSet<>();
  private Map<NodeId, NodeInfo> told = Map.of();
  private final Map<Integer, Map<NodeId, LinksEntry>> links = new HashMap<>();

  Roster(NodeId self) {
    this.self = self;
  }

  void joined(NodeId node) {
    members.add(node);
  }

  void left(NodeId node) {
    members.remove(node);
    unreachable.remove(node);
  }

  void unreachable(NodeId node) {
    unreachable.add(node);
  }

  void reachable(NodeId node) {
    unreachable.remove(node);
  }

  /// What all nodes tell of themselves.
  void told(List<NodeInfo> all) {
    var byId = new HashMap<NodeId, NodeInfo>();
    all.forEach(node -> byId.put(node.id(), node));
    told = byId;
  }

  /// What all nodes tell of their links in one bucket.
  void links(int bucket, Map<NodeId, LinksEntry> entries) {
    links.put(bucket, Map.copyOf(entries));
  }

  /// The members that have told of themselves, by address.
  List<NodeInfo> nodes() {
    return told.values().stream()
        .filter(node -> members.contains(node.id()))
        .map(node ->
            unreachable.contains(node.id()) && !node.id().equals(self)
                ? new NodeInfo(
                    node.id(), node.relay(), node.linksUrl(), NodeState.UNREACHABLE, node.version())
                : node)
        .sorted(BY_ADDRESS)
        .toList();
  }

  /// The other nodes with links, by the names of the clusters in one bucket.
  ///
  /// @param nodes as [#nodes] says
  Map<String, List<LinkedNode>> linked(int bucket, List<NodeInfo> nodes) {
    Map<NodeId, LinksEntry> entries = links.getOrDefault(bucket, Map.of());
    var linked = new HashMap<String, List<LinkedNode>>();
    for (NodeState state : List.of(NodeState.READY, NodeState.DRAINING)) {
      for (NodeInfo node : nodes) {
        LinksEntry entry = entries.get(node.id());
        if (node.state() == state && entry != null && !node.id().equals(self)) {
          entry.forEach((cluster, load) ->
              linked
                  .computeIfAbsent(cluster, _ -> new ArrayList<>(2))
                  .add(new LinkedNode(node, load.links(), load.outstanding(), load.kubernetes())));
        }
      }
    }
    linked.replaceAll((_, having) -> List.copyOf(having));
    return linked;
  }

  /// The buckets that anybody told of.
  Set<Integer> buckets() {
    return Set.copyOf(links.keySet());
  }
}
