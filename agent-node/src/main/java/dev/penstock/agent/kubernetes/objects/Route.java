package dev.penstock.agent.kubernetes.objects;

import dev.penstock.protocol.control.Protocol;
import java.util.List;

/// A TCPRoute or UDPRoute.
///
/// @param protocol which of the two it is
/// @param parents what it wants to attach to
/// @param rules v1 has one, v1alpha2 up to 16. Without anything to match by, only the first can
///   ever be used
/// @param parentStatuses what was written about it so far, by whomever, in its order
/// @param otherStatus what else is in the status, as it came; missing when there is nothing else
public record Route(
    Meta meta,
    Protocol protocol,
    List<ParentRef> parents,
    List<Rule> rules,
    List<RouteParentStatus> parentStatuses,
    RawJson otherStatus)
    implements KubernetesObject {
  public Route {
    parents = List.copyOf(parents);
    rules = List.copyOf(rules);
    parentStatuses = List.copyOf(parentStatuses);
  }

  /// One rule.
  public record Rule(List<BackendRef> backends) {
    public Rule {
      backends = List.copyOf(backends);
    }

    static Rule of(Fields fields) throws Malformed {
      return new Rule(fields.list("backendRefs", BackendRef::of));
    }
  }

  @Override
  public Kind kind() {
    return switch (protocol) {
      case TCP -> Kind.TCP_ROUTE;
      case UDP -> Kind.UDP_ROUTE;
    };
  }

  static Route of(Protocol protocol, Fields object) throws Malformed {
    Fields spec = object.object("spec");
    Fields status = object.object("status");
    return new Route(
        Meta.of(object),
        protocol,
        spec.list("parentRefs", ParentRef::of),
        spec.list("rules", Rule::of),
        status.list("parents", RouteParentStatus::of),
        status.rawBut("parents"));
  }
}
