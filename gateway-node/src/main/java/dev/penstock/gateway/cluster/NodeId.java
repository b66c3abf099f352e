package dev.penstock.gateway.cluster;

import dev.penstock.config.HostPort;
import java.util.Optional;

/// One life of one node: a process that starts anew at the same address is another node.
///
/// @param address where the node is reached by the others' control messages
/// @param incarnation differs from life to life
public record NodeId(HostPort address, long incarnation) {
  /// As [#toString] writes it.
  public static Optional<NodeId> parse(String text) {
    int slash = text.lastIndexOf('/');
    if (slash < 1) {
      return Optional.empty();
    }
    try {
      long incarnation = Long.parseUnsignedLong(text, slash + 1, text.length(), 16);
      return HostPort.parse(text.substring(0, slash)).map(at -> new NodeId(at, incarnation));
    } catch (NumberFormatException _) {
      return Optional.empty();
    }
  }

  @Override
  public String toString() {
    return address + "/" + Long.toHexString(incarnation);
  }
}
