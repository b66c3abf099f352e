package dev.penstock.agent.kubernetes.objects;

import java.util.List;

/// Where a load balancer is reached, as a Service's status says it.
///
/// @param ip empty when it has a host name instead
/// @param hostname empty when it has an address instead
public record LoadBalancerIngress(String ip, String hostname, List<Port> ports) {
  public LoadBalancerIngress {
    ports = List.copyOf(ports);
  }

  /// One port.
  ///
  /// @param error why it does not serve; empty when it does
  public record Port(int port, String protocol, String error) {
    static Port of(Fields fields) throws Malformed {
      return new Port(fields.port("port"), fields.text("protocol"), fields.text("error"));
    }
  }

  static LoadBalancerIngress of(Fields fields) throws Malformed {
    return new LoadBalancerIngress(
        fields.text("ip"), fields.text("hostname"), fields.list("ports", Port::of));
  }
}
