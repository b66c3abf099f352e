package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.objects.ObjectRef;

/// Where a share of a tunnel's connections goes.
public sealed interface Backend {
  /// Its share, 0 to 1,000,000, of the sum over all of the tunnel.
  int weight();

  /// To the endpoints of a Service.
  ///
  /// @param portName under which endpoint slices tell the target ports; empty when it has none
  /// @param port the Service's port, for its virtual address
  record ToService(int weight, ObjectRef service, String portName, int port) implements Backend {}

  /// Nowhere: these connections are refused.
  ///
  /// @param why for people
  record Invalid(int weight, String why) implements Backend {}
}
