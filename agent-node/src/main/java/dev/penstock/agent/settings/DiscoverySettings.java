package dev.penstock.agent.settings;

import dev.penstock.config.Kind;
import dev.penstock.config.Section;
import java.util.regex.Pattern;

/// Which Gateways of a Kubernetes cluster services are looked for at: `tunnels.discovery.tcp` or
/// `tunnels.discovery.udp`. Without a cluster there is nothing to look at.
///
/// @param state `enabled`; default true
/// @param gatewayLabel `gateway_label`: the label that a Gateway must have, `key` or `key=value`;
///   default `pipeops.io/managed`
public record DiscoverySettings(State state, String gatewayLabel) {
  private static final String NAME = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";
  private static final Pattern LABEL =
      Pattern.compile("([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?" + NAME + "(=(" + NAME + ")?)?");

  /// Whether services are looked for.
  public enum State {
    ENABLED,
    DISABLED
  }

  static DiscoverySettings of(Section section) {
    return new DiscoverySettings(
        section.get("enabled", Kind.flag(), true) ? State.ENABLED : State.DISABLED,
        section.get(
            "gateway_label",
            Kind.text(
                LABEL,
                "a label's key or key=value, such as pipeops.io/managed",
                "pipeops.io/managed"),
            "pipeops.io/managed"));
  }
}
