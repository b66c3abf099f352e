package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.discovery.Notice.Level;
import dev.penstock.agent.kubernetes.objects.Gateway;
import dev.penstock.agent.kubernetes.objects.GatewayClass;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.KubernetesObject;
import dev.penstock.agent.kubernetes.objects.Namespace;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.ParentRef;
import dev.penstock.agent.kubernetes.objects.ReferenceGrant;
import dev.penstock.agent.kubernetes.objects.Route;
import dev.penstock.agent.kubernetes.objects.Service;
import dev.penstock.agent.kubernetes.objects.TunnelEndpoint;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.stream.Stream;

/// One look at a cluster: what is known, by what it is asked for, and what was found out so far.
/// One thread; used once.
final class Look {
  /// Older first; of the same second, by name.
  private static final Comparator<Route> BY_AGE =
      Comparator.<Route, Instant>comparing(route -> route.meta().created())
          .thenComparing(route -> route.meta().namespace())
          .thenComparing(route -> route.meta().name());

  /// A route that names a Gateway, in one of its references.
  record Claim(Route route, ParentRef parent) {}

  private final ClusterView view;
  private final DiscoveryOptions options;
  private final GatewayState gateway;
  private final Instant now;

  private final Map<String, GatewayClass> classes = new HashMap<>();
  private final List<Gateway> gateways = new ArrayList<>();
  private final List<Route> routes = new ArrayList<>();
  private final Map<ObjectRef, List<Claim>> claims = new HashMap<>();
  private final Map<String, List<ReferenceGrant>> grants = new HashMap<>();
  private final Map<ObjectRef, Service> services = new HashMap<>();
  private final Map<String, Map<String, String>> namespaceLabels = new HashMap<>();
  private final Map<ObjectRef, TunnelGatewayParameters> parameters = new HashMap<>();
  private final Map<ObjectRef, TunnelEndpoint> endpoints = new HashMap<>();
  private final Map<ObjectRef, String> problems = new HashMap<>();

  private final SequencedSet<Notice> notices = new LinkedHashSet<>();
  private Optional<Instant> nextLook = Optional.empty();

  Look(ClusterView view, DiscoveryOptions options, GatewayState gateway, Instant now) {
    this.view = view;
    this.options = options;
    this.gateway = gateway;
    this.now = now;
    view.classes().forEach(one -> classes.put(one.meta().name(), one));
    view.gateways().stream().filter(this::isWatched).forEach(gateways::add);
    Stream.concat(view.tcpRoutes().stream(), view.udpRoutes().stream())
        .filter(this::isWatched)
        .sorted(BY_AGE)
        .forEach(this::add);
    view.grants()
        .forEach(
            one -> grants.computeIfAbsent(one.meta().namespace(), _ -> new ArrayList<>()).add(one));
    view.services().forEach(one -> services.put(one.ref(), one));
    for (Namespace one : view.namespaces()) {
      namespaceLabels.put(one.meta().name(), one.meta().labels());
    }
    view.parameters().forEach(one -> parameters.put(one.ref(), one));
    view.endpoints().stream().filter(this::isWatched).forEach(one -> endpoints.put(one.ref(), one));
  }

  private void add(Route route) {
    routes.add(route);
    if (route.meta().isDeleting()) {
      return;
    }
    for (ParentRef parent : route.parents()) {
      if (parent.isGateway()) {
        claims
            .computeIfAbsent(parent.gateway(route.meta().namespace()), _ -> new ArrayList<>())
            .add(new Claim(route, parent));
      }
    }
  }

  private boolean isWatched(KubernetesObject object) {
    return options.isWatched(object.meta().namespace());
  }

  DiscoveryOptions options() {
    return options;
  }

  Instant now() {
    return now;
  }

  ClusterView view() {
    return view;
  }

  GatewayState gateway() {
    return gateway;
  }

  Optional<GatewayClass> gatewayClass(String name) {
    return Optional.ofNullable(classes.get(name));
  }

  /// The Gateways of the watched namespaces.
  List<Gateway> gateways() {
    return gateways;
  }

  /// The routes of the watched namespaces, the oldest first.
  List<Route> routes() {
    return routes;
  }

  /// Which routes name the Gateway, the oldest first.
  List<Claim> claims(ObjectRef gatewayRef) {
    return claims.getOrDefault(gatewayRef, List.of());
  }

  /// The Services of the watched namespaces.
  Stream<Service> services() {
    return view.services().stream().filter(this::isWatched);
  }

  Optional<Service> service(ObjectRef ref) {
    return Optional.ofNullable(services.get(ref));
  }

  boolean isGranted(ObjectRef referrer, ObjectRef target) {
    return referrer.namespace().equals(target.namespace())
        || grants.getOrDefault(target.namespace(), List.of()).stream()
            .anyMatch(grant -> grant.allows(referrer, target));
  }

  /// The labels of a namespace; none when it is not known.
  Map<String, String> labelsOf(String namespace) {
    return namespaceLabels.getOrDefault(namespace, Map.of());
  }

  boolean isKnownNamespace(String namespace) {
    return namespaceLabels.containsKey(namespace);
  }

  Optional<TunnelGatewayParameters> parameters(ObjectRef ref) {
    return Optional.ofNullable(parameters.get(ref));
  }

  Optional<TunnelEndpoint> endpoint(ObjectRef ref) {
    return Optional.ofNullable(endpoints.get(ref));
  }

  /// The stored endpoints of the watched namespaces, by name.
  List<TunnelEndpoint> endpoints() {
    return view.endpoints().stream().filter(this::isWatched).toList();
  }

  /// Why no object of this kind was ever read; empty when they were, or when there are none.
  Optional<String> unread(Kind kind) {
    return view.unread(kind);
  }

  /// The problem of an object that could not be read.
  Optional<String> problemOf(ObjectRef ref) {
    return Optional.ofNullable(problems.get(ref));
  }

  void tell(KubernetesObject regarding, Level level, String reason, String message) {
    notices.add(new Notice(regarding.ref(), regarding.meta().uid(), level, reason, message));
  }

  void tell(Notice notice) {
    notices.add(notice);
  }

  SequencedSet<Notice> notices() {
    return notices;
  }

  /// Something changes at this time by itself.
  void lookAgainAt(Instant time) {
    if (time.isAfter(now) && nextLook.map(time::isBefore).orElse(true)) {
      nextLook = Optional.of(time);
    }
  }

  Optional<Instant> nextLook() {
    return nextLook;
  }

  /// Whether what the gateway has not said yet, or a link that is lost, changes nothing for now.
  boolean isHeld() {
    Instant until = gateway.link().since().plus(DiscoveryOptions.HOLD);
    lookAgainAt(until);
    return now.isBefore(until);
  }
}
