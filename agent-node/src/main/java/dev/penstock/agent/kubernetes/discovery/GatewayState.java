package dev.penstock.agent.kubernetes.discovery;

import java.util.Map;

/// What the gateway cluster has said so far.
///
/// @param grants by tunnel id ([TunnelKey#id]); a tunnel without an entry was not answered yet
public record GatewayState(GatewayLink link, Map<String, Grant> grants) {
  public GatewayState {
    grants = Map.copyOf(grants);
  }
}
