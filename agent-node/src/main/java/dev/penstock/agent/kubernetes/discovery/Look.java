package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.discovery.Notice.Level;
import dev.penstock.agent.kubernetes.discovery.Recall.Asked;
import dev.penstock.agent.kubernetes.discovery.Recall.Span;
import dev.penstock.agent.kubernetes.objects.Gateway;
import dev.penstock.agent.kubernetes.objects.GatewayClass;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.KubernetesObject;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.Route;
import dev.penstock.agent.kubernetes.objects.Service;
import dev.penstock.agent.kubernetes.objects.TunnelEndpoint;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// One look at a cluster: what is known, by what it is asked for, and what was found out so far.
/// One thread; used once.
final class Look {
  private final ClusterView view;
  private final DiscoveryOptions options;
  private final GatewayState gateway;
  private final Instant now;

  private final Index index;
  private final Map<ObjectRef, String> problems = new HashMap<>();

  private final SequencedSet<Notice> notices = new LinkedHashSet<>();
  private Optional<Instant> nextLook = Optional.empty();

  /// What was asked and told since [#listen].
  private List<Asked> asked = new ArrayList<>();

  private List<Notice> told = new ArrayList<>();
  private Span span = Span.LASTING;

  /// @param index of the view
  Look(Index index, DiscoveryOptions options, GatewayState gateway, Instant now) {
    this.index = index;
    this.view = index.view();
    this.options = options;
    this.gateway = gateway;
    this.now = now;
    view.unreadable().forEach(one -> problems.put(one.ref(), one.problem()));
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

  /// From here on it is kept in mind what is asked and told.
  void listen() {
    asked = new ArrayList<>();
    told = new ArrayList<>();
    span = Span.LASTING;
  }

  /// What was asked and told since [#listen].
  Recall.Grounds heard() {
    var grounds = new Recall.Grounds(asked, told, span);
    listen();
    return grounds;
  }

  private <T> Optional<T> ask(Function<Look, @Nullable T> question) {
    T answer = question.apply(this);
    asked.add(new Asked(question::apply, answer));
    return Optional.ofNullable(answer);
  }

  /// Whether the agents are linked to the gateway.
  boolean isLinked() {
    return ask(look -> look.gateway.link().state()).equals(Optional.of(GatewayLink.State.UP));
  }

  /// What the gateway said about a tunnel.
  Optional<Grant> grant(String tunnel) {
    return ask(look -> look.gateway.grants().get(tunnel));
  }

  Availability availability(Kind kind) {
    return ask(look -> look.view.availability(kind)).orElseThrow();
  }

  Optional<GatewayClass> gatewayClass(String name) {
    return ask(look -> look.index.classes().get(name));
  }

  /// The Gateways of the watched namespaces.
  List<Gateway> gateways() {
    return index.gateways();
  }

  /// The routes of the watched namespaces, the oldest first.
  List<Route> routes() {
    return index.routes().all();
  }

  /// Which routes name the Gateway, the oldest first.
  List<Index.Claim> claims(ObjectRef gatewayRef) {
    return ask(look -> look.index.routes().claims().getOrDefault(gatewayRef, List.of()))
        .orElseThrow();
  }

  /// The Services of the watched namespaces.
  Stream<Service> services() {
    return view.services().stream().filter(this::isWatched);
  }

  Optional<Service> service(ObjectRef ref) {
    return ask(look -> look.index.services().get(ref));
  }

  boolean isGranted(ObjectRef referrer, ObjectRef target) {
    return referrer.namespace().equals(target.namespace())
        || ask(look ->
                look.index.grants().getOrDefault(target.namespace(), List.of()).stream()
                    .anyMatch(grant -> grant.allows(referrer, target)))
            .orElseThrow();
  }

  /// The labels of a namespace; none when it is not known.
  Map<String, String> labelsOf(String namespace) {
    return ask(look -> look.index.namespaceLabels().getOrDefault(namespace, Map.of()))
        .orElseThrow();
  }

  boolean isKnownNamespace(String namespace) {
    return ask(look -> look.index.namespaceLabels().containsKey(namespace)).orElseThrow();
  }

  Optional<TunnelGatewayParameters> parameters(ObjectRef ref) {
    return ask(look -> look.index.parameters().get(ref));
  }

  Optional<TunnelEndpoint> endpoint(ObjectRef ref) {
    return ask(look -> look.index.endpoints().get(ref));
  }

  /// The stored endpoints of the watched namespaces, by name.
  List<TunnelEndpoint> endpoints() {
    return view.endpoints().stream().filter(this::isWatched).toList();
  }

  /// Why no object of this kind was ever read; empty when they were, or when there are none.
  Optional<String> unread(Kind kind) {
    return ask(look -> look.view.unread(kind).orElse(null));
  }

  /// The problem of an object that could not be read.
  Optional<String> problemOf(ObjectRef ref) {
    return ask(look -> look.problems.get(ref));
  }

  void tell(KubernetesObject regarding, Level level, String reason, String message) {
    tell(new Notice(regarding.ref(), regarding.meta().uid(), level, reason, message));
  }

  void tell(Notice notice) {
    notices.add(notice);
    told.add(notice);
  }

  SequencedSet<Notice> notices() {
    return notices;
  }

  /// What is found out now need not hold later.
  void dependsOnTime() {
    span = Span.PASSING;
  }

  /// Something changes at this time by itself.
  void lookAgainAt(Instant time) {
    dependsOnTime();
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
