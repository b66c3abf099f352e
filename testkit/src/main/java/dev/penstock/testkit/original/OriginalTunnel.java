package dev.penstock.testkit.original;

import java.util.LinkedHashMap;
import java.util.Map;

/// What the original agent registers for one listener of a Gateway.
///
/// @param protocol `tcp` or `udp`
/// @param serviceName empty when the listener has no route
/// @param servicePort 0 when the listener has no route
/// @param routingMode `direct`, `tunnel` or `dual`
/// @param publicEndpoint left out when empty, as are `labels` and `annotations`
public record OriginalTunnel(
    String protocol,
    String gatewayName,
    String gatewayNamespace,
    int gatewayPort,
    String serviceName,
    String serviceNamespace,
    int servicePort,
    String routingMode,
    String publicEndpoint,
    Map<String, String> labels,
    Map<String, String> annotations) {
  public OriginalTunnel {
    labels = Map.copyOf(labels);
    annotations = Map.copyOf(annotations);
  }

  /// A tunnel to a service, from a Gateway of the agent's own namespace.
  public static OriginalTunnel of(
      String protocol, int gatewayPort, String service, String namespace, int servicePort) {
    return new OriginalTunnel(
        protocol,
        protocol + "-gateway",
        "pipeops-system",
        gatewayPort,
        service,
        namespace,
        servicePort,
        "tunnel",
        "",
        Map.of("pipeops.io/managed", "true"),
        Map.of());
  }

  /// The id that the original makes; two Gateways of one name in two namespaces share it.
  public String id(String cluster) {
    return protocol + "-" + cluster + "-" + gatewayName + "-" + gatewayPort;
  }

  /// The body of a registration.
  Map<String, Object> full(String cluster) {
    Map<String, Object> fields = fields(cluster, serviceName, serviceNamespace, servicePort);
    if (!labels.isEmpty()) {
      fields.put("labels", labels);
    }
    if (!annotations.isEmpty()) {
      fields.put("annotations", annotations);
    }
    return fields;
  }

  /// The entry of a sync, which has lost the service, the labels and the annotations.
  Map<String, Object> withoutService(String cluster) {
    return fields(cluster, "", "", 0);
  }

  private Map<String, Object> fields(String cluster, String service, String namespace, int port) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("cluster_uuid", cluster);
    fields.put("protocol", protocol);
    fields.put("tunnel_id", id(cluster));
    fields.put("gateway_name", gatewayName);
    fields.put("gateway_namespace", gatewayNamespace);
    fields.put("gateway_port", gatewayPort);
    fields.put("service_name", service);
    fields.put("service_namespace", namespace);
    fields.put("service_port", port);
    fields.put("routing_mode", routingMode);
    if (!publicEndpoint.isEmpty()) {
      fields.put("public_endpoint", publicEndpoint);
    }
    return fields;
  }
}
