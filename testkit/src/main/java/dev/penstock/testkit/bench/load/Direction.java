package dev.penstock.testkit.bench.load;

/// Which way bulk bytes flow.
public enum Direction {
  /// From the client to the target.
  UP,
  /// From the target to the client.
  DOWN
}
