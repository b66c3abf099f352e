package dev.penstock.agent.settings;

import dev.penstock.config.HostPort;
import dev.penstock.config.Kind;
import dev.penstock.config.Section;
import dev.penstock.protocol.control.RoutingMode;
import java.util.Optional;

/// Which ways to the services are told to clients: `tunnels.routing`.
///
/// @param forced `force_tunnel_mode`: whether every service is reached through the gateway,
///   whatever it says itself; default true
/// @param dual `dual_mode_enabled`: whether a service that has a public endpoint is told with both
///   ways unless it says otherwise; default true
public record RoutingSettings(ForceTunnel forced, DualMode dual) {
  /// `force_tunnel_mode`.
  public enum ForceTunnel {
    ON,
    OFF
  }

  /// `dual_mode_enabled`.
  public enum DualMode {
    ON,
    OFF
  }

  static RoutingSettings of(Section section) {
    return new RoutingSettings(
        section.get("force_tunnel_mode", Kind.flag(), true) ? ForceTunnel.ON : ForceTunnel.OFF,
        section.get("dual_mode_enabled", Kind.flag(), true) ? DualMode.ON : DualMode.OFF);
  }

  /// The mode that a service is registered with.
  ///
  /// @param wanted what the service says itself
  /// @param publicEndpoint where clients reach the service itself
  RoutingMode modeOf(Optional<RoutingMode> wanted, Optional<HostPort> publicEndpoint) {
    if (forced == ForceTunnel.ON) {
      return RoutingMode.TUNNEL;
    }
    return wanted.orElse(
        dual == DualMode.ON && publicEndpoint.isPresent() ? RoutingMode.DUAL : RoutingMode.TUNNEL);
  }
}
