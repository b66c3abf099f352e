package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.discovery.Notice.Level;
import dev.penstock.agent.kubernetes.objects.KubernetesObject;
import dev.penstock.agent.kubernetes.objects.Meta;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.PortPolicy;
import dev.penstock.protocol.control.RoutingMode;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// The annotations that are read. One that makes no sense is told and counts as absent.
final class Annotations {
  /// Which ways to a foreign Gateway's services are told: the original agent's.
  static final String ROUTING_MODE = "pipeops.io/routing-mode";

  /// Which public port a Service of ours is given.
  static final String PORT_POLICY = "penstock.dev/port-policy";

  private static final String INVALID = "InvalidAnnotation";
  private static final String OURS = "penstock.dev/";

  private Annotations() {}

  static Optional<RoutingMode> routingMode(Look look, KubernetesObject object) {
    String text = object.meta().annotations().get(ROUTING_MODE);
    if (text == null) {
      return Optional.empty();
    }
    for (RoutingMode mode : RoutingMode.values()) {
      if (mode.label().equals(text)) {
        return Optional.of(mode);
      }
    }
    return invalid(look, object, ROUTING_MODE, text, "direct, tunnel or dual");
  }

  static Optional<Duration> idleTimeout(Look look, KubernetesObject object) {
    String text = object.meta().annotations().get(IdleTimeout.ANNOTATION);
    if (text == null) {
      return Optional.empty();
    }
    Optional<Duration> timeout = IdleTimeout.parse(text);
    return timeout.isPresent()
        ? timeout
        : invalid(look, object, IdleTimeout.ANNOTATION, text, IdleTimeout.EXPECTED);
  }

  static Optional<PortPolicy> portPolicy(Look look, KubernetesObject object) {
    String text = object.meta().annotations().get(PORT_POLICY);
    if (text == null) {
      return Optional.empty();
    }
    return switch (text) {
      case "Exact" -> Optional.of(PortPolicy.EXACT);
      case "Allocate" -> Optional.of(PortPolicy.ALLOCATE);
      default -> invalid(look, object, PORT_POLICY, text, "Exact or Allocate");
    };
  }

  /// Those that the gateway understands: it refuses a tunnel whose limits it cannot read.
  static Map<String, String> forGateway(Meta meta) {
    var ours = new TreeMap<String, String>();
    meta.annotations()
        .forEach((key, value) -> {
          if (key.startsWith(OURS) && !key.equals(PORT_POLICY)) {
            ours.put(key, value);
          }
        });
    return ours;
  }

  private static <T> Optional<T> invalid(
      Look look, KubernetesObject object, String key, String found, String expected) {
    String shown = found.length() <= 64 ? found : found.substring(0, 64) + "...";
    look.tell(object, Level.WARNING, INVALID, key + ": " + shown + " (expected: " + expected + ")");
    return Optional.empty();
  }
}
