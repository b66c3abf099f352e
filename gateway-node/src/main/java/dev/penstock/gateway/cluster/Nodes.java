package dev.penstock.gateway.cluster;

import java.util.List;
import java.util.Optional;

/// The nodes of the cluster as this one sees them now. Every method answers from memory at once and
/// may be called from any thread; what it answers is not changed afterwards.
///
/// A node that this one does not hear from is [NodeState#UNREACHABLE] as soon as that is noticed,
/// and gone when the cluster has removed it. What a node tells of itself is here within a fraction
/// of a second.
public interface Nodes {
  /// This node.
  NodeInfo self();

  /// All nodes, this one among them, in the order of their addresses.
  List<NodeInfo> all();

  /// The nodes that take agents, clients and relayed streams; this one among them when it does.
  List<NodeInfo> ready();

  /// The node with this id, empty when it is gone.
  Optional<NodeInfo> find(NodeId id);

  /// The other nodes with links of `cluster`'s agents that can be reached, those that are
  /// [NodeState#READY] before those that are [NodeState#DRAINING]; no others.
  List<LinkedNode> withLinks(String cluster);

  /// Has `listener` told of [#all] now and whenever that changes, one call at a time, on a thread
  /// that must not be blocked. Numbers of links are no such change.
  Subscription subscribe(Listener listener);

  /// Told of the nodes.
  @FunctionalInterface
  interface Listener {
    void changed(List<NodeInfo> all);
  }

  /// Ends what [Nodes#subscribe] began; a call that is under way may still arrive.
  @FunctionalInterface
  interface Subscription extends AutoCloseable {
    @Override
    void close();
  }

  /// A node without a cluster.
  static Nodes alone(NodeInfo self) {
    return new Nodes() {
      @Override
      public NodeInfo self() {
        return self;
      }

      @Override
      public List<NodeInfo> all() {
        return List.of(self);
      }

      @Override
      public List<NodeInfo> ready() {
        return self.state() == NodeState.READY ? all() : List.of();
      }

      @Override
      public Optional<NodeInfo> find(NodeId id) {
        return self.id().equals(id) ? Optional.of(self) : Optional.empty();
      }

      @Override
      public List<LinkedNode> withLinks(String cluster) {
        return List.of();
      }

      @Override
      public Subscription subscribe(Listener listener) {
        listener.changed(all());
        return () -> {};
      }
    };
  }
}
