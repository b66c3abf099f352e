package dev.penstock.agent.serve;

import dev.penstock.protocol.control.TunnelRegistered;
import java.util.Map;

/// What the gateway says about exposures that were found, by their tunnel ids; those that it was
/// not asked for, or has not answered for, are left out.
///
/// @param cluster the name that the gateway has for this agent's cluster, `""` before it is known
public record Grants(String cluster, Carriage carriage, Map<String, Grant> byId) {
  /// Whether clients can be carried at all.
  public enum Carriage {
    LINKED,
    NOT_LINKED
  }

  /// One answer.
  public sealed interface Grant {
    /// Clients find the tunnel there.
    record Given(TunnelRegistered tunnel) implements Grant {}

    /// The gateway did not take the tunnel; it is asked again.
    record Refused(String why) implements Grant {}
  }

  public Grants {
    byId = Map.copyOf(byId);
  }

  /// Before the gateway has said anything.
  public static Grants none() {
    return new Grants("", Carriage.NOT_LINKED, Map.of());
  }
}
