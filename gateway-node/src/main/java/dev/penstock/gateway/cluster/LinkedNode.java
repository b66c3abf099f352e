package dev.penstock.gateway.cluster;

/// A node that holds links of one cluster's agents.
///
/// @param links at least 1
/// @param outstanding streams on those links when it last told, exact up to 16 and within an eighth
///   above
public record LinkedNode(NodeInfo node, int links, int outstanding) {}
