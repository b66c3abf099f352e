package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.discovery.Notice.Level;
import dev.penstock.agent.kubernetes.objects.ObjectReader.Read.Unreadable;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Looks at a cluster and says which tunnels there should be and what is to be written. A pure
/// function: the same view, state and time give the same answer, but that a new status keeps the
/// time at which it was found first. What followed in the last look from what is still the same is
/// taken over, so that a look at a large cluster after a small change costs little. One thread at a
/// time.
public final class Discovery {
  /// Notices of one look. More than these are left out, warnings last.
  public static final int MAX_NOTICES = 20_000;

  private static final Comparator<Notice> WARNINGS_FIRST =
      Comparator.comparing(Notice::level)
          .reversed()
          .thenComparing(Notice::regarding)
          .thenComparing(Notice::reason)
          .thenComparing(Notice::message);

  private final DiscoveryOptions options;
  private final OwnGateways.Memory own = new OwnGateways.Memory();
  private @Nullable Index index;
  private final Recall<List<Exposure>> foreign = new Recall<>();
  private final Recall<Endpoints.Wanted> wanted = new Recall<>();
  private final List<Recall<?>> memories = List.of(own.gateways(), own.routes(), foreign, wanted);

  public Discovery(DiscoveryOptions options) {
    this.options = options;
  }

  /// Looks once.
  ///
  /// @param gateway what the gateway cluster has said so far
  /// @param now the time, for what is written and for what waits
  public Discovered look(ClusterView cluster, GatewayState gateway, Instant now) {
    memories.forEach(Recall::begin);
    Index known = Index.of(cluster, options, index);
    index = known;
    var look = new Look(known, options, gateway, now);
    OwnGateways.Result ours = OwnGateways.of(look, own);
    LoadBalancers.Result balancers = LoadBalancers.of(look);
    var exposures = new ArrayList<>(ours.exposures());
    exposures.addAll(ForeignGateways.of(look, foreign));
    exposures.addAll(balancers.exposures());
    var tunnels = new TreeMap<TunnelKey, DesiredTunnel>();
    // The API server refuses a Service with the same port twice; so would the gateway.
    exposures.removeIf(one -> tunnels.putIfAbsent(one.tunnel().key(), one.tunnel()) != null);
    var statuses = new ArrayList<>(ours.statuses());
    statuses.addAll(balancers.statuses());
    statuses.sort(Comparator.comparing(StatusWrite::ref));
    List<EndpointWrite> endpoints =
        Endpoints.of(look, exposures, wanted).stream()
            .sorted(Comparator.comparing(EndpointWrite::ref))
            .toList();
    unreadable(look);
    memories.forEach(Recall::end);
    List<Notice> notices = look.notices().stream().sorted(WARNINGS_FIRST).toList();
    return new Discovered(
        List.copyOf(tunnels.values()),
        statuses,
        ours.finalizers(),
        endpoints,
        notices.subList(0, Math.min(notices.size(), MAX_NOTICES)),
        Math.max(0, notices.size() - MAX_NOTICES),
        look.nextLook());
  }

  private static void unreadable(Look look) {
    for (Unreadable one : look.view().unreadable()) {
      // An Event needs an object to be about.
      if (look.options().isWatched(one.ref().namespace()) && !one.uid().isEmpty()) {
        look.tell(new Notice(one.ref(), one.uid(), Level.WARNING, "Unreadable", one.problem()));
      }
    }
  }
}
