package dev.penstock.agent.serve;

import java.util.Map;
import java.util.Optional;

/// What this agent connects to: the targets of the tunnels that it registers, and nothing else,
/// whatever a gateway asks for. Immutable.
public final class Targets {
  private final Map<String, Target> byTunnelId;

  public Targets(Map<String, Target> byTunnelId) {
    this.byTunnelId = Map.copyOf(byTunnelId);
  }

  /// The target of one of our own tunnels.
  public Optional<Target> of(String tunnelId) {
    return Optional.ofNullable(byTunnelId.get(tunnelId));
  }
}
