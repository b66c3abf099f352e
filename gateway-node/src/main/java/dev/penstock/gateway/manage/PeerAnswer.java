package dev.penstock.gateway.manage;

import dev.penstock.gateway.cluster.ClusterMessage;

/// The answer to a [PeerQuestion].
///
/// @param status of HTTP: 200, or 404 where the node has no such thing, or another error
/// @param text what was asked for, or what is wrong
record PeerAnswer(int status, String text) implements ClusterMessage {}
