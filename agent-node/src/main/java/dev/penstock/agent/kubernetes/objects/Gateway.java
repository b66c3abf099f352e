package dev.penstock.agent.kubernetes.objects;

import java.util.List;
import java.util.Optional;

/// A Gateway: listeners that routes attach to.
///
/// @param className the GatewayClass that it is of
/// @param requestedAddresses `spec.addresses`
/// @param parameters `spec.infrastructure.parametersRef`; its namespace is the Gateway's
/// @param addresses `status.addresses`
/// @param conditions those of its status
/// @param listenerStatuses `status.listeners`
/// @param otherStatus what else is in the status, as it came; missing when there is nothing else
public record Gateway(
    Meta meta,
    String className,
    List<Listener> listeners,
    List<GatewayAddress> requestedAddresses,
    Optional<ParametersRef> parameters,
    List<GatewayAddress> addresses,
    List<Condition> conditions,
    List<ListenerStatus> listenerStatuses,
    RawJson otherStatus)
    implements KubernetesObject {
  public Gateway {
    listeners = List.copyOf(listeners);
    requestedAddresses = List.copyOf(requestedAddresses);
    addresses = List.copyOf(addresses);
    conditions = List.copyOf(conditions);
    listenerStatuses = List.copyOf(listenerStatuses);
  }

  @Override
  public Kind kind() {
    return Kind.GATEWAY;
  }

  /// The status of a listener; empty when nobody wrote one.
  public Optional<ListenerStatus> listenerStatus(String listener) {
    return listenerStatuses.stream().filter(one -> one.name().equals(listener)).findFirst();
  }

  static Gateway of(Fields object) throws Malformed {
    Fields spec = object.object("spec");
    Fields status = object.object("status");
    return new Gateway(
        Meta.of(object),
        spec.requiredText("gatewayClassName"),
        spec.list("listeners", Listener::of),
        spec.list("addresses", GatewayAddress::of),
        ParametersRef.of(spec.object("infrastructure")),
        status.list("addresses", GatewayAddress::of),
        status.list("conditions", Condition::of),
        status.list("listeners", ListenerStatus::of),
        status.rawBut("addresses", "conditions", "listeners"));
  }
}
