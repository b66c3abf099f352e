package dev.penstock.agent.kubernetes.backends;

import dev.penstock.access.Cidr;
import dev.penstock.agent.kubernetes.backends.ServiceEndpoints.Target;
import dev.penstock.agent.kubernetes.discovery.Backend;
import dev.penstock.agent.kubernetes.discovery.DesiredTunnel;
import dev.penstock.agent.kubernetes.objects.Service;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.Dialling;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;

/// Chooses where the connections of a tunnel go. Holds no state; any thread.
///
/// First a backend is chosen by the weights; one that is invalid keeps its share, and its
/// connections are refused. Then one of its Service's endpoints: near ones before far ones, by
/// chance among those that are equally near, or by the client's address where the Service wants its
/// clients to stay.
public final class BackendChooser {
  /// Addresses that are tried for one connection.
  public static final int MAX_CANDIDATES = 3;

  private final Place place;
  private final DialGuard guard;

  /// A chooser for an agent at `place`.
  ///
  /// @param allowed blocks that may be dialled although they are loopback or link-local; normally
  ///   none
  public BackendChooser(Place place, List<Cidr> allowed) {
    this.place = place;
    this.guard = new DialGuard(allowed);
  }

  /// Chooses for one connection or flow.
  ///
  /// @param client who connects; empty when it is not known
  /// @param random the only source of chance
  public Choice choose(
      DesiredTunnel tunnel,
      BackendsView backends,
      Optional<InetAddress> client,
      RandomGenerator random) {
    return switch (byWeight(tunnel.backends(), random)) {
      case Backend.Invalid(_, var why) -> new Choice.Refuse(why);
      case Backend.ToService to ->
          backends
              .service(to.service())
              .map(service -> ofService(tunnel, to, service, backends, client, random))
              .orElseGet(() -> new Choice.Refuse(to.service() + " is not there"));
    };
  }

  private static Backend byWeight(List<Backend> backends, RandomGenerator random) {
    long sum = backends.stream().mapToLong(Backend::weight).sum();
    if (sum == 0) {
      return new Backend.Invalid(
          0, backends.isEmpty() ? "there are no backends" : "no backend has a weight");
    }
    long left = random.nextLong(sum);
    for (Backend backend : backends) {
      left -= backend.weight();
      if (left < 0) {
        return backend;
      }
    }
    throw new IllegalStateException("left: " + left + " (expected: less than 0)");
  }

  private Choice ofService(
      DesiredTunnel tunnel,
      Backend.ToService to,
      Service service,
      BackendsView backends,
      Optional<InetAddress> client,
      RandomGenerator random) {
    // A headless Service has no address of its own.
    if (tunnel.dialling() == Dialling.CLUSTER_IP && !service.clusterIps().isEmpty()) {
      return ofClusterIp(to, service);
    }
    ServiceEndpoints endpoints =
        ServiceEndpoints.of(
            service,
            backends.slices(to.service()),
            to.portName(),
            tunnel.key().protocol().name(),
            guard);
    var candidates = new ArrayList<InetSocketAddress>();
    for (Target target : ordered(service, endpoints.usable(), client, random)) {
      candidates.add(target.address());
    }
    for (Target target : ordered(service, endpoints.otherFamily(), client, random)) {
      candidates.add(target.address());
    }
    return candidates.isEmpty()
        ? new Choice.Refuse(to.service() + ": " + none(service, endpoints))
        : new Choice.Dial(candidates.subList(0, Math.min(candidates.size(), MAX_CANDIDATES)));
  }

  private Choice ofClusterIp(Backend.ToService to, Service service) {
    List<InetSocketAddress> addresses =
        service.clusterIps().stream()
            .flatMap(ip -> ServiceEndpoints.literal(ip).stream())
            .filter(ip -> !guard.refuses(ip))
            .limit(MAX_CANDIDATES)
            .map(ip -> new InetSocketAddress(ip, to.port()))
            .toList();
    return addresses.isEmpty()
        ? new Choice.Refuse(to.service() + ": its addresses must not be dialled")
        : new Choice.Dial(addresses);
  }

  private List<Target> ordered(
      Service service, List<Target> targets, Optional<InetAddress> client, RandomGenerator random) {
    List<Target> allowed =
        service.traffic() == Service.InternalTraffic.LOCAL
            ? targets.stream().filter(this::isOnThisNode).toList()
            : targets;
    if (service.affinity().isPresent() && client.isPresent()) {
      // Every agent must come to the same answer, wherever it runs.
      byte[] from = client.get().getAddress();
      return allowed.stream()
          .sorted(
              Comparator.<Target>comparingLong(target -> score(from, target))
                  .thenComparing(target -> target.address().toString()))
          .toList();
    }
    var nearness = new Nearness(place, service, allowed);
    var ordered = new ArrayList<>(allowed);
    shuffle(ordered, random);
    ordered.sort(Comparator.comparingInt(nearness::of));
    return ordered;
  }

  private boolean isOnThisNode(Target target) {
    return !place.node().isEmpty() && place.node().equals(target.endpoint().node());
  }

  /// Fisher-Yates.
  private static void shuffle(List<Target> targets, RandomGenerator random) {
    for (int i = targets.size() - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      Target target = targets.get(i);
      targets.set(i, targets.get(j));
      targets.set(j, target);
    }
  }

  /// Rendezvous hashing: when an endpoint goes, only its own clients move.
  private static long score(byte[] client, Target target) {
    long hash = 0xcbf29ce484222325L;
    for (byte one : client) {
      hash = mix(hash ^ (one & 0xff));
    }
    for (byte one : target.address().getAddress().getAddress()) {
      hash = mix(hash ^ (one & 0xff));
    }
    return mix(hash ^ target.address().getPort());
  }

  /// The finaliser of SplitMix64 (Steele, Lea, Flood, 2014).
  private static long mix(long value) {
    long mixed = value + 0x9e3779b97f4a7c15L;
    mixed = (mixed ^ (mixed >>> 30)) * 0xbf58476d1ce4e5b9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
    return mixed ^ (mixed >>> 31);
  }

  private static String none(Service service, ServiceEndpoints endpoints) {
    if (!endpoints.usable().isEmpty()) {
      return "it has no endpoint on this node (internalTrafficPolicy: Local)";
    }
    if (endpoints.refused() > 0) {
      return endpoints.refused() + " addresses must not be dialled";
    }
    return endpoints.unready() > 0
        ? "none of " + endpoints.unready() + " endpoints is ready"
        : "it has no endpoints" + (service.ports().isEmpty() ? "" : " for this port");
  }
}
