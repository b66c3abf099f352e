package dev.penstock.agent.kubernetes.backends;

import dev.penstock.agent.kubernetes.objects.EndpointSlice;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.Service;
import java.util.List;
import java.util.Optional;

/// What is known of the Services that tunnels lead to. Safe for use by any thread.
public interface BackendsView {
  /// A Service; empty when there is none.
  Optional<Service> service(ObjectRef service);

  /// The slices of a Service, in any order.
  List<EndpointSlice> slices(ObjectRef service);
}
