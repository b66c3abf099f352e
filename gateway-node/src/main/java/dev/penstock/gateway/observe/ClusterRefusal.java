package dev.penstock.gateway.observe;

/// Why something that reached the port of the cluster was not let in.
public enum ClusterRefusal {
  /// Its first bytes were not those of a node.
  FOREIGN_BYTES,
  /// TLS was not agreed on: no certificate, one of another authority, or no TLS at all.
  TLS,
  /// A node of another cluster, with another secret, or of a release that is too far away.
  NOT_OF_THIS_CLUSTER
}
