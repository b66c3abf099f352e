package dev.penstock.gateway.leases;

/// What public port a tunnel wants. One that has a port keeps it, whatever it wants.
public sealed interface PortWish {
  /// None: its clients come another way.
  record None() implements PortWish {}

  /// 10000 + the listener's port or the next free one above that.
  ///
  /// @param listenerPort the service's own port, 1 to 65535
  record Near(int listenerPort) implements PortWish {}

  /// This one or none.
  record Exactly(int port) implements PortWish {}
}
