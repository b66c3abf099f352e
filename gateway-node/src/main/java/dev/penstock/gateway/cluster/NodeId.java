package dev.penstock.gateway.cluster;

import dev.penstock.config.HostPort;

/// One life of one node: a process that starts anew at the same address is another node.
///
/// @param address where the node is reached by the others' control messages
/// @param incarnation differs from life to life
public record NodeId(HostPort address, long incarnation) {
  @Override
  public String toString() {
    return address + "/" + Long.toHexString(incarnation);
  }
}
