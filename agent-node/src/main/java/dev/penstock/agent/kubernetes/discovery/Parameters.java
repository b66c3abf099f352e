package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.objects.Gateway;
import dev.penstock.agent.kubernetes.objects.GatewayClass;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.ParametersRef;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.Dialling;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.PortPolicy;
import dev.penstock.protocol.net.ProxyHeader;
import java.time.Duration;
import java.util.Optional;

/// What holds for one of our Gateways: its own parameters over those of its class over the
/// defaults.
sealed interface Parameters {
  /// Everything could be found.
  ///
  /// @param idleTimeout empty for the agent's default
  record Known(
      PortPolicy policy,
      Dialling dialling,
      ProxyHeader proxyProtocol,
      Optional<Duration> idleTimeout)
      implements Parameters {}

  /// It could not; nothing may be served by guess.
  ///
  /// @param verdict the condition
  record Unknown(Verdict verdict) implements Parameters {}

  /// Where there are no parameters.
  static Known defaults(DiscoveryOptions options) {
    return new Known(PortPolicy.EXACT, options.dialling(), ProxyHeader.NONE, Optional.empty());
  }

  static Parameters of(Look look, GatewayClass gatewayClass) {
    Known defaults = defaults(look.options());
    return gatewayClass
        .parameters()
        .map(ref -> over(look, defaults, ref, ref.namespace()))
        .orElse(defaults);
  }

  static Parameters of(Look look, GatewayClass gatewayClass, Gateway gateway) {
    return switch (of(look, gatewayClass)) {
      case Unknown unknown -> unknown;
      case Known known ->
          gateway
              .parameters()
              .map(ref -> over(look, known, ref, gateway.meta().namespace()))
              .orElse(known);
    };
  }

  private static Parameters over(Look look, Known below, ParametersRef ref, String namespace) {
    if (!ref.group().equals(Kind.TUNNEL_GATEWAY_PARAMETERS.group())
        || !ref.kind().equals(Kind.TUNNEL_GATEWAY_PARAMETERS.label())) {
      return invalid(
          "parametersRef: "
              + ref.group()
              + "/"
              + ref.kind()
              + " (expected: penstock.dev/TunnelGatewayParameters)");
    }
    if (namespace.isEmpty()) {
      return invalid("parametersRef.namespace: nothing (expected: that of " + ref.name() + ")");
    }
    var target = new ObjectRef(Kind.TUNNEL_GATEWAY_PARAMETERS, namespace, ref.name());
    Optional<TunnelGatewayParameters> found = look.parameters(target);
    if (found.isEmpty()) {
      Optional<String> unread = look.unread(Kind.TUNNEL_GATEWAY_PARAMETERS);
      return unread.isPresent()
          ? new Unknown(Verdict.unknown("Accepted", "Pending", target + ": " + unread.get()))
          : invalid(
              look.problemOf(target)
                  .map(problem -> target + " cannot be read: " + problem)
                  .orElse(target + " is not there"));
    }
    Optional<Duration> idle = found.get().idleTimeout().flatMap(IdleTimeout::parse);
    if (found.get().idleTimeout().isPresent() && idle.isEmpty()) {
      return invalid(
          target
              + ": spec.idleTimeout: "
              + found.get().idleTimeout().get()
              + " (expected: "
              + IdleTimeout.EXPECTED
              + ")");
    }
    return new Known(
        found.get().portPolicy().orElse(below.policy()),
        found.get().dialling().orElse(below.dialling()),
        found.get().proxyProtocol().orElse(below.proxyProtocol()),
        idle.or(below::idleTimeout));
  }

  private static Unknown invalid(String message) {
    return new Unknown(Verdict.no("Accepted", "InvalidParameters", message));
  }
}
