package dev.penstock.gateway.cluster;

/// A sign of life that a member of a cluster leaves in the database, one for each address.
///
/// @param founding of the cluster that the node is a member of
/// @param beat rises with each sign of the same node
public record Pulse(NodeId node, Founding founding, long beat) {}
