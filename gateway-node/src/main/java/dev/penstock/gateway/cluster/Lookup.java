package dev.penstock.gateway.cluster;

import dev.penstock.config.HostPort;
import java.io.IOException;
import java.util.Set;

/// Finds the addresses of the nodes that there should be. Blocks.
@FunctionalInterface
interface Lookup {
  /// The nodes' addresses for control messages, this node's among them or not.
  ///
  /// @throws IOException they cannot be found now; the message says why
  Set<HostPort> nodes() throws IOException, InterruptedException;
}
