package dev.penstock.protocol.control;

/// How clients reach a tunnelled service.
public enum RoutingMode {
  /// At the cluster's own public address.
  DIRECT("direct"),
  /// Through the gateway.
  TUNNEL("tunnel"),
  /// Both ways.
  DUAL("dual");

  private final String label;

  RoutingMode(String label) {
    this.label = label;
  }

  /// Its name in JSON and as a value of a metric's label.
  public String label() {
    return label;
  }
}
