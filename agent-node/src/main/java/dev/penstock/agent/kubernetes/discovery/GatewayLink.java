package dev.penstock.agent.kubernetes.discovery;

import java.time.Instant;

/// Whether the agents of the cluster are linked to the gateway.
///
/// @param since when it became so; for an agent that starts, its start
public record GatewayLink(State state, Instant since) {
  /// Whether there is a link.
  public enum State {
    UP,
    DOWN
  }
}
