package dev.penstock.agent.serve;

import dev.penstock.agent.settings.ServiceSettings;
import java.util.Map;
import java.util.Optional;

/// What this agent connects to: the targets of the tunnels that it registers, and nothing else,
/// whatever a gateway asks for. Immutable.
public final class Targets {
  private final Map<String, ServiceSettings> byTunnelId;

  public Targets(Map<String, ServiceSettings> byTunnelId) {
    this.byTunnelId = Map.copyOf(byTunnelId);
  }

  /// The service behind one of our own tunnels.
  public Optional<ServiceSettings> of(String tunnelId) {
    return Optional.ofNullable(byTunnelId.get(tunnelId));
  }
}
