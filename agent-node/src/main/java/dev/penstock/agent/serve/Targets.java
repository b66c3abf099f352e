package dev.penstock.agent.serve;

import dev.penstock.protocol.control.Protocol;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// What this agent connects to: the targets of the tunnels that it serves, and nothing else,
/// whatever a gateway asks for. Read by many threads, changed by one.
public final class Targets {
  private final Map<String, Target> byTunnelId = new ConcurrentHashMap<>();

  /// The target of one of our own tunnels.
  public Optional<Target> of(Protocol protocol, String tunnelId) {
    return Optional.ofNullable(byTunnelId.get(tunnelId))
        .filter(target -> target.exposure().protocol() == protocol);
  }

  /// Serves a tunnel from now on, or serves it otherwise.
  public void put(String tunnelId, Exposure exposure) {
    byTunnelId.merge(tunnelId, Target.of(exposure), (before, _) -> before.changedTo(exposure));
  }

  /// Takes nothing new for a tunnel; null when it was not served. What runs goes on until
  /// [Target#end].
  public @Nullable Target remove(String tunnelId) {
    return byTunnelId.remove(tunnelId);
  }
}
