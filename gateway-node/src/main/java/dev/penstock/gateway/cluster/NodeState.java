package dev.penstock.gateway.cluster;

/// What a node of the cluster may be used for, as this node sees it.
public enum NodeState {
  /// It is a member and does not serve yet.
  STARTING,
  /// It takes agents, clients and relayed streams.
  READY,
  /// It is about to leave: it still carries what it has, and is given nothing new while another
  /// node can take it.
  DRAINING,
  /// This node does not hear from it; it is given nothing.
  UNREACHABLE
}
