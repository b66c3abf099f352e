package dev.penstock.agent.kubernetes.objects;

import java.util.List;
import java.util.Optional;

/// A part of the endpoints of a Service.
///
/// @param service the Service's name, by the label `kubernetes.io/service-name`; empty without one
/// @param addressType `IPv4`, `IPv6` or `FQDN`
/// @param ports the target ports of these endpoints
public record EndpointSlice(
    Meta meta, String service, String addressType, List<Endpoint> endpoints, List<Port> ports)
    implements KubernetesObject {
  public static final String SERVICE_LABEL = "kubernetes.io/service-name";

  public EndpointSlice {
    endpoints = List.copyOf(endpoints);
    ports = List.copyOf(ports);
  }

  /// A target port.
  ///
  /// @param name that of the Service's port; empty when it has none
  /// @param port empty for every port
  public record Port(String name, Optional<Integer> port, String protocol) {
    static Port of(Fields fields) throws Malformed {
      return new Port(
          fields.text("name"),
          fields.has("port") ? Optional.of(fields.port("port")) : Optional.empty(),
          fields.optionalText("protocol").orElse("TCP"));
    }
  }

  /// One endpoint.
  ///
  /// @param addresses all of one pod: any will do
  /// @param node the name of its node; empty when it is not told
  /// @param zone empty when it is not told
  /// @param forNodes the nodes that should prefer it; none when the control plane gives no hint
  /// @param forZones the zones that should prefer it; none when the control plane gives no hint
  public record Endpoint(
      List<String> addresses,
      Readiness readiness,
      String node,
      String zone,
      List<String> forNodes,
      List<String> forZones) {
    public Endpoint {
      addresses = List.copyOf(addresses);
      forNodes = List.copyOf(forNodes);
      forZones = List.copyOf(forZones);
    }

    static Endpoint of(Fields fields) throws Malformed {
      Fields hints = fields.object("hints");
      return new Endpoint(
          fields.textList("addresses"),
          Readiness.of(fields.object("conditions")),
          fields.text("nodeName"),
          fields.text("zone"),
          hints.list("forNodes", hint -> hint.requiredText("name")),
          hints.list("forZones", hint -> hint.requiredText("name")));
    }
  }

  /// Whether an endpoint takes connections.
  public enum Readiness {
    /// Also one of which nothing is said.
    READY,
    /// It is on its way out and still serves: better than nothing.
    SERVING_WHILE_TERMINATING,
    NOT_READY;

    private static Readiness of(Fields conditions) throws Malformed {
      boolean terminating = conditions.flag("terminating").orElse(false);
      boolean ready = conditions.flag("ready").orElse(true);
      if (ready && !terminating) {
        return READY;
      }
      return terminating && conditions.flag("serving").orElse(ready)
          ? SERVING_WHILE_TERMINATING
          : NOT_READY;
    }
  }

  @Override
  public Kind kind() {
    return Kind.ENDPOINT_SLICE;
  }

  static EndpointSlice of(Fields object) throws Malformed {
    Meta meta = Meta.of(object);
    return new EndpointSlice(
        meta,
        meta.labels().getOrDefault(SERVICE_LABEL, ""),
        object.requiredText("addressType"),
        object.list("endpoints", Endpoint::of),
        object.list("ports", Port::of));
  }
}
