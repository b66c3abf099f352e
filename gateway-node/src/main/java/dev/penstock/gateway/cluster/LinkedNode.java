package dev.penstock.gateway.cluster;

/// A node that holds links of one cluster's agents.
///
/// @param links at least 1
/// @param outstanding streams on those links when it last told, exact up to 16 and within an eighth
///   above
/// @param kubernetes the UID of the Kubernetes cluster in which the agents are; empty when they or
///   the node do not say
public record LinkedNode(NodeInfo node, int links, int outstanding, String kubernetes) {}
