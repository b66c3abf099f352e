package dev.penstock.agent.kubernetes.objects;

import dev.penstock.protocol.net.ProxyHeader;
import java.util.Optional;

/// Settings of a GatewayClass or of a Gateway of ours: `TunnelGatewayParameters` in `penstock.dev`.
/// What is absent falls back, from the Gateway's to the class's to the default.
///
/// @param portPolicy `spec.portPolicy`: `Exact` or `Allocate`
/// @param dialling `spec.backendMode`: `Direct` or `ClusterIP`
/// @param proxyProtocol `spec.proxyProtocol`: `None`, `V1` or `V2`
/// @param idleTimeout `spec.idleTimeout`: a duration such as `10m`
public record TunnelGatewayParameters(
    Meta meta,
    Optional<PortPolicy> portPolicy,
    Optional<Dialling> dialling,
    Optional<ProxyHeader> proxyProtocol,
    Optional<String> idleTimeout)
    implements KubernetesObject {
  /// Which public port a listener is given.
  public enum PortPolicy {
    /// The listener's own number or none.
    EXACT,
    /// One of the gateway's choice.
    ALLOCATE
  }

  /// What the agent connects to for a Service.
  public enum Dialling {
    /// One of its endpoints.
    ENDPOINTS,
    /// Its virtual address.
    CLUSTER_IP
  }

  @Override
  public Kind kind() {
    return Kind.TUNNEL_GATEWAY_PARAMETERS;
  }

  static TunnelGatewayParameters of(Fields object) throws Malformed {
    Fields spec = object.object("spec");
    return new TunnelGatewayParameters(
        Meta.of(object),
        portPolicy(spec),
        dialling(spec),
        proxyProtocol(spec),
        spec.optionalText("idleTimeout"));
  }

  private static Optional<PortPolicy> portPolicy(Fields spec) throws Malformed {
    return switch (spec.text("portPolicy")) {
      case "" -> Optional.empty();
      case "Exact" -> Optional.of(PortPolicy.EXACT);
      case "Allocate" -> Optional.of(PortPolicy.ALLOCATE);
      default -> throw spec.malformed("portPolicy", "Exact or Allocate");
    };
  }

  private static Optional<Dialling> dialling(Fields spec) throws Malformed {
    return switch (spec.text("backendMode")) {
      case "" -> Optional.empty();
      case "Direct" -> Optional.of(Dialling.ENDPOINTS);
      case "ClusterIP" -> Optional.of(Dialling.CLUSTER_IP);
      default -> throw spec.malformed("backendMode", "Direct or ClusterIP");
    };
  }

  private static Optional<ProxyHeader> proxyProtocol(Fields spec) throws Malformed {
    return switch (spec.text("proxyProtocol")) {
      case "" -> Optional.empty();
      case "None" -> Optional.of(ProxyHeader.NONE);
      case "V1" -> Optional.of(ProxyHeader.V1);
      case "V2" -> Optional.of(ProxyHeader.V2);
      default -> throw spec.malformed("proxyProtocol", "None, V1 or V2");
    };
  }
}
