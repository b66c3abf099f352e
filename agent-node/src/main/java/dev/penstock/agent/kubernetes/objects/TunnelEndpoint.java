package dev.penstock.agent.kubernetes.objects;

import com.fasterxml.jackson.databind.JsonNode;

/// What users see of a tunnel, as it is in the cluster: `TunnelEndpoint` in `penstock.dev`. We
/// write these; they are read to know what has to be written.
///
/// @param cluster `spec.cluster`: the agents' cluster of which the tunnel is
/// @param spec as it came. Not to be changed
/// @param status as it came; missing when there is none. Not to be changed
public record TunnelEndpoint(Meta meta, String cluster, JsonNode spec, JsonNode status)
    implements KubernetesObject {
  @Override
  public Kind kind() {
    return Kind.TUNNEL_ENDPOINT;
  }

  static TunnelEndpoint of(Fields object) throws Malformed {
    Fields spec = object.object("spec");
    return new TunnelEndpoint(
        Meta.of(object), spec.text("cluster"), spec.json(), object.object("status").json());
  }
}
