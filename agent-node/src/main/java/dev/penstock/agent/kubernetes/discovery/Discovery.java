package dev.penstock.agent.kubernetes.discovery;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/// Looks at a cluster and says which tunnels there should be and what is to be written. A pure
/// function: the same view, state and time give the same answer. Any thread.
public final class Discovery {
  /// Notices of one look.
  public static final int MAX_NOTICES = 1000;

  private final DiscoveryOptions options;

  public Discovery(DiscoveryOptions options) {
    this.options = options;
  }

  /// Looks once.
  ///
  /// @param gateway what the gateway cluster has said so far
  /// @param now the time, for what is written and for what waits
  public Discovered look(ClusterView cluster, GatewayState gateway, Instant now) {
    var notices =
        cluster.unreadable().stream()
            .filter(one -> options.isWatched(one.ref().namespace()))
            .map(one ->
                new Notice(one.ref(), one.uid(), Notice.Level.WARNING, "Unreadable", one.problem()))
            .toList();
    return new Discovered(List.of(), List.of(), List.of(), List.of(), notices, 0, Optional.empty());
  }
}
