package dev.penstock.agent.kubernetes.objects;

import java.util.List;

/// A kind of objects that the agent reads.
public enum Kind {
  GATEWAY_CLASS("gateway.networking.k8s.io", "GatewayClass", "gatewayclasses", "v1"),
  GATEWAY("gateway.networking.k8s.io", "Gateway", "gateways", "v1"),
  TCP_ROUTE("gateway.networking.k8s.io", "TCPRoute", "tcproutes", "v1 v1alpha2"),
  UDP_ROUTE("gateway.networking.k8s.io", "UDPRoute", "udproutes", "v1 v1alpha2"),
  REFERENCE_GRANT("gateway.networking.k8s.io", "ReferenceGrant", "referencegrants", "v1 v1beta1"),
  SERVICE("", "Service", "services", "v1"),
  NAMESPACE("", "Namespace", "namespaces", "v1"),
  ENDPOINT_SLICE("discovery.k8s.io", "EndpointSlice", "endpointslices", "v1"),
  TUNNEL_GATEWAY_PARAMETERS(
      "penstock.dev", "TunnelGatewayParameters", "tunnelgatewayparameters", "v1alpha1"),
  TUNNEL_ENDPOINT("penstock.dev", "TunnelEndpoint", "tunnelendpoints", "v1alpha1");

  private final String group;
  private final String label;
  private final String plural;
  private final String versions;

  Kind(String group, String label, String plural, String versions) {
    this.group = group;
    this.label = label;
    this.plural = plural;
    this.versions = versions;
  }

  /// Its API group; empty for the core.
  public String group() {
    return group;
  }

  /// Its name in `kind`.
  public String label() {
    return label;
  }

  /// Its name in URLs and in RBAC rules.
  public String plural() {
    return plural;
  }

  /// The versions that can be read, the preferred one first.
  public List<String> versions() {
    return List.of(versions.split(" ", -1));
  }

  /// The `apiVersion` of its objects in `version`.
  public String apiVersion(String version) {
    return group.isEmpty() ? version : group + "/" + version;
  }

  /// Whether its objects are outside of namespaces.
  public boolean isClusterScoped() {
    return this == GATEWAY_CLASS || this == NAMESPACE;
  }
}
