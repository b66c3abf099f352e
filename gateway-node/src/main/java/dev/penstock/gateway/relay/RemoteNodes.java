package dev.penstock.gateway.relay;

import dev.penstock.config.HostPort;
import java.util.List;

/// What the relay must know of the other nodes. Answers from memory; safe for use by several
/// threads.
@FunctionalInterface
public interface RemoteNodes {
  /// The other nodes that hold links of agents of `cluster`.
  List<RemoteNode> withLinks(String cluster);

  /// A node that holds such links.
  ///
  /// @param id of this life of the node, at most 255 bytes in UTF-8
  /// @param relay where it takes relay links
  /// @param links at least 1
  /// @param outstanding streams on those links, as last heard
  record RemoteNode(String id, HostPort relay, int links, int outstanding) {}
}
