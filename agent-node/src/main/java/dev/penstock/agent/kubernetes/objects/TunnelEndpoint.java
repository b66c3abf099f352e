package dev.penstock.agent.kubernetes.objects;

import java.util.List;

/// What users see of a tunnel, as it is in the cluster: `TunnelEndpoint` in `penstock.dev`. We
/// write these; they are read to know what has to be written.
///
/// @param conditions those of its status
/// @param spec as it came
/// @param otherStatus what else is in the status, as it came; missing when there is nothing else
public record TunnelEndpoint(
    Meta meta, List<Condition> conditions, RawJson spec, RawJson otherStatus)
    implements KubernetesObject {
  /// The label that says by the agents of which cluster it was written.
  public static final String CLUSTER_LABEL = "penstock.dev/cluster";

  public TunnelEndpoint {
    conditions = List.copyOf(conditions);
  }

  @Override
  public Kind kind() {
    return Kind.TUNNEL_ENDPOINT;
  }

  static TunnelEndpoint of(Fields object) throws Malformed {
    Fields status = object.object("status");
    return new TunnelEndpoint(
        Meta.of(object),
        status.list("conditions", Condition::of),
        object.object("spec").raw(),
        status.rawBut("conditions"));
  }
}
