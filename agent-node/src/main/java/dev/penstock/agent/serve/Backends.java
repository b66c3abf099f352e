package dev.penstock.agent.serve;

import dev.penstock.config.HostPort;
import dev.penstock.protocol.control.CallerAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Where the connections of one tunnel go. Asked on event loops, by several threads: answers at
/// once, from what is known.
@FunctionalInterface
public interface Backends {
  /// Chooses for one connection, or one UDP session.
  ///
  /// @param caller who it is for; null when the gateway does not say
  Choice choose(@Nullable CallerAddress caller);

  /// What was chosen.
  sealed interface Choice {
    /// The connection goes to the first of these that takes it.
    ///
    /// @param inOrder at least one
    record Endpoints(List<HostPort> inOrder) implements Choice {
      public Endpoints {
        inOrder = List.copyOf(inOrder);
        if (inOrder.isEmpty()) {
          throw new IllegalArgumentException("endpoints: none (expected: at least one)");
        }
      }
    }

    /// The connection goes nowhere.
    ///
    /// @param why for people
    record Nowhere(String why) implements Choice {}
  }

  /// Always the same address.
  static Backends of(HostPort target) {
    var always = new Choice.Endpoints(List.of(target));
    return _ -> always;
  }
}
