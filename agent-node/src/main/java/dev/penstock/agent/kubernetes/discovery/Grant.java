package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.config.HostPort;

/// What the gateway cluster said to a tunnel's registration last.
public sealed interface Grant {
  /// The tunnel has this public address.
  record Granted(HostPort endpoint) implements Grant {}

  /// A tunnel that needs no port is known to the gateway.
  record Known() implements Grant {}

  /// It has none.
  ///
  /// @param message the gateway's words
  record Refused(Cause cause, String message) implements Grant {}

  /// Why a registration is refused.
  enum Cause {
    /// The wanted port is another's, out of the range, or none is left.
    PORT("PortUnavailable"),
    /// The same identity is registered for something else.
    IDENTITY("IdentityTaken"),
    OTHER("Refused");

    private final String reason;

    Cause(String reason) {
      this.reason = reason;
    }

    /// Its name in conditions and Events.
    String reason() {
      return reason;
    }
  }
}
