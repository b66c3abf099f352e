package dev.penstock.agent.kubernetes.objects;

/// One object that was read. Immutable.
public sealed interface KubernetesObject
    permits EndpointSlice,
        Gateway,
        GatewayClass,
        Namespace,
        ReferenceGrant,
        Route,
        Service,
        TunnelEndpoint,
        TunnelGatewayParameters {
  Meta meta();

  Kind kind();

  /// Which object it is.
  default ObjectRef ref() {
    return new ObjectRef(kind(), meta().namespace(), meta().name());
  }
}
