package dev.penstock.gateway.links;

import java.util.List;

/// The ways over other nodes. Safe for use by several threads; answers from memory.
@FunctionalInterface
public interface RemoteWays {
  /// Where there is no other node.
  RemoteWays NONE = _ -> List.of();

  /// The ways to agents of `cluster`, none that is known not to work now.
  List<? extends Way> to(String cluster);
}
