package dev.penstock.gateway.cluster;

import dev.penstock.config.HostPort;
import java.net.URI;
import org.jspecify.annotations.Nullable;

/// What every node is told of one node.
///
/// @param relay where it takes streams from other nodes
/// @param linksUrl the URL at which agents link to it; null when it was given none
/// @param version its release
public record NodeInfo(
    NodeId id, HostPort relay, @Nullable URI linksUrl, NodeState state, String version) {}
