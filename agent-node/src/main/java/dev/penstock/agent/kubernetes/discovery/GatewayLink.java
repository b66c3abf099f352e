package dev.penstock.agent.kubernetes.discovery;

import java.time.Instant;

/// Whether the agents of the cluster are linked to the gateway.
///
/// @param since when it became so; for an agent that has just started or has just become the one
///   that writes, that moment: what it was not told yet then counts as unknown, not as lost
public record GatewayLink(State state, Instant since) {
  /// Whether there is a link.
  public enum State {
    UP,
    DOWN
  }
}
