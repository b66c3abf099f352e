package dev.penstock.gateway.links;

import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.ControlMessage.Register;
import dev.penstock.protocol.net.UpgradeRequest;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Who is at the other end of a socket: the one rule by which original agents are told from those
/// that know our extensions.
///
/// Whoever names extensions, in the query of the gateway socket or by a feature of `register`, is
/// not an original. Who names none is one when it registers, and before that when it calls itself
/// what the HTTP library of the original does, which has no name of its own.
public enum AgentKind {
  ORIGINAL,
  /// Knows our extensions, whoever made it.
  EXTENDED,
  /// Has said nothing yet that tells.
  UNKNOWN;

  private static final String ORIGINALS_LIBRARY = "Go-http-client/";
  private static final String OUR_AGENT = "penstock-agent/";

  /// Before any message.
  static AgentKind of(UpgradeRequest request) {
    return of(request.userAgent(), request.parameter(Capability.QUERY_PARAMETER));
  }

  static AgentKind of(@Nullable String userAgent, @Nullable String capabilities) {
    String program = userAgent == null ? "" : userAgent;
    if (capabilities != null || program.startsWith(OUR_AGENT)) {
      return EXTENDED;
    }
    return program.startsWith(ORIGINALS_LIBRARY) ? ORIGINAL : UNKNOWN;
  }

  /// Once it has registered: what it says of itself counts more than what its library does.
  AgentKind registered(Set<String> features) {
    return features.contains(Register.NAMES_CAPABILITIES) ? EXTENDED : ORIGINAL;
  }
}
