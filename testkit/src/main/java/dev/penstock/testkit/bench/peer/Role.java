package dev.penstock.testkit.bench.peer;

/// Which end of a tunnel a process is; of two proxies in a row the first is the gateway.
public enum Role {
  /// It holds the public port.
  GATEWAY,
  /// It stands beside the target.
  AGENT
}
