package dev.penstock.gateway.links;

import dev.penstock.protocol.control.GatewayNode;
import java.util.List;

/// The nodes that agents may link to, as this one sees them now. Answers from memory, on any
/// thread.
public interface NodeDirectory {
  /// The id of this node, `""` when agents are told of no nodes.
  String self();

  /// The nodes that take links, this one among them while it does; empty when agents are told of
  /// none.
  List<GatewayNode> nodes();

  /// Has `changed` run whenever [#nodes] changes, on any thread; it must not block.
  void subscribe(Runnable changed);

  /// Whether an agent that leaves this node has anywhere to go.
  default boolean hasOthers() {
    return nodes().stream().anyMatch(node -> !node.id().equals(self()));
  }

  /// A gateway of one node.
  static NodeDirectory alone() {
    return new NodeDirectory() {
      @Override
      public String self() {
        return "";
      }

      @Override
      public List<GatewayNode> nodes() {
        return List.of();
      }

      @Override
      public void subscribe(Runnable changed) {}
    };
  }
}
