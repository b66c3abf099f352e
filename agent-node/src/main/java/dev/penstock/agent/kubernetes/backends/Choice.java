package dev.penstock.agent.kubernetes.backends;

import java.net.InetSocketAddress;
import java.util.List;

/// What becomes of one connection.
public sealed interface Choice {
  /// The first address to try and, when it cannot be reached, the next.
  ///
  /// @param candidates at least one, at most [BackendChooser#MAX_CANDIDATES]; all resolved
  record Dial(List<InetSocketAddress> candidates) implements Choice {
    public Dial {
      candidates = List.copyOf(candidates);
    }
  }

  /// It is refused.
  ///
  /// @param why for people
  record Refuse(String why) implements Choice {}
}
