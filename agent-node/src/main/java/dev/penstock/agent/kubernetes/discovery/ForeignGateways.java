package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.discovery.DiscoveryOptions.TrustOwner;
import dev.penstock.agent.kubernetes.discovery.Index.Claim;
import dev.penstock.agent.kubernetes.discovery.Notice.Level;
import dev.penstock.agent.kubernetes.objects.Condition;
import dev.penstock.agent.kubernetes.objects.Condition.Status;
import dev.penstock.agent.kubernetes.objects.Gateway;
import dev.penstock.agent.kubernetes.objects.GatewayAddress;
import dev.penstock.agent.kubernetes.objects.GatewayClass;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.KubernetesObject;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.Route;
import dev.penstock.agent.kubernetes.objects.RouteParentStatus;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.PortPolicy;
import dev.penstock.agent.settings.RoutingSettings.DualMode;
import dev.penstock.agent.settings.RoutingSettings.ForceTunnel;
import dev.penstock.config.HostPort;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.RoutingMode;
import dev.penstock.protocol.net.ProxyHeader;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The marked Gateways of other controllers: tunnels and notices, and never a write to what is not
/// ours.
final class ForeignGateways {
  private final Look look;
  private final List<Exposure> exposures = new ArrayList<>();
  private final Map<ObjectRef, ResolvedBackends> resolved = new HashMap<>();

  private ForeignGateways(Look look) {
    this.look = look;
  }

  /// @param memory of the last look
  static List<Exposure> of(Look look, Recall<List<Exposure>> memory) {
    var exposures = new ArrayList<Exposure>();
    if (look.unread(Kind.GATEWAY_CLASS).isEmpty()) {
      for (Gateway gateway : look.gateways()) {
        exposures.addAll(memory.of(look, gateway.ref(), gateway, () -> find(look, gateway)));
      }
    }
    return exposures;
  }

  private static List<Exposure> find(Look look, Gateway gateway) {
    var foreign = new ForeignGateways(look);
    foreign.gateway(gateway);
    return foreign.exposures;
  }

  private void gateway(Gateway gateway) {
    if (gateway.meta().isDeleting()
        || OwnGateways.classOf(look, gateway).isPresent()
        || (!isMarked(gateway, Protocol.TCP) && !isMarked(gateway, Protocol.UDP))) {
      return;
    }
    Optional<Condition> refusal = refusal(gateway);
    List<CheckedListener> listeners = CheckedListener.of(gateway);
    List<CheckedListener> tunnelled =
        listeners.stream()
            .filter(one -> one.protocol().map(of -> isMarked(gateway, of)).orElse(false))
            .filter(one -> isTunnelled(gateway, refusal, one))
            .toList();
    ServedRoutes served = attach(gateway, listeners, tunnelled);
    for (CheckedListener listener : tunnelled) {
      List<Route> routes = served.of(listener);
      // Without a route there is nothing to reach: a port is kept for those who need one.
      if (!routes.isEmpty()) {
        ServedRoutes.tellLosers(look, gateway, listener, routes);
        expose(gateway, listener, routes);
      }
    }
  }

  private boolean isMarked(Gateway gateway, Protocol protocol) {
    Optional<GatewayLabel> label =
        switch (protocol) {
          case TCP -> look.options().tcpLabel();
          case UDP -> look.options().udpLabel();
        };
    return label.map(one -> one.marks(gateway.meta().labels())).orElse(false);
  }

  /// Its owner's refusal of the Gateway as it is now. `Programmed` says nothing here: a Gateway
  /// whose load balancer never gets an address is just what a tunnel is for.
  private Optional<Condition> refusal(Gateway gateway) {
    return look.options().trust() == TrustOwner.NEVER
        ? Optional.empty()
        : gateway.conditions().stream()
            .filter(one -> isCurrent(one, gateway.meta().generation()))
            .filter(one -> one.type().equals("Accepted") && one.status() == Status.FALSE)
            .findFirst();
  }

  private static boolean isCurrent(Condition condition, long generation) {
    return condition.observedGeneration() >= generation;
  }

  private boolean isTunnelled(
      Gateway gateway, Optional<Condition> gatewayRefusal, CheckedListener one) {
    String name = one.listener().name();
    if (one.flaw().isPresent()) {
      CheckedListener.Flaw flaw = one.flaw().get();
      warn(gateway, flaw.reason(), "listener " + name + ": " + flaw.message());
      return false;
    }
    Optional<Condition> refusal = refusal(gateway, one);
    if (isUnsupportedUdp(one, refusal)) {
      look.tell(
          gateway,
          Level.NORMAL,
          "TunnelledAllTheSame",
          "listener "
              + name
              + " is tunnelled although "
              + owner(gateway)
              + " knows no UDP; a class of ours would serve it with a status");
      return true;
    }
    Optional<Condition> why = refusal.or(() -> gatewayRefusal);
    why.ifPresent(condition ->
        warn(
            gateway,
            "NotAcceptedByOwner",
            "listener "
                + name
                + " is not tunnelled: "
                + owner(gateway)
                + " says "
                + condition.reason()
                + ": "
                + condition.message()));
    return why.isEmpty();
  }

  /// Its owner's refusal of a listener as it is now.
  private Optional<Condition> refusal(Gateway gateway, CheckedListener one) {
    if (look.options().trust() == TrustOwner.NEVER) {
      return Optional.empty();
    }
    return gateway
        .listenerStatus(one.listener().name())
        .flatMap(status ->
            status.conditions().stream()
                .filter(condition -> isCurrent(condition, gateway.meta().generation()))
                .filter(ForeignGateways::isRefusal)
                .findFirst());
  }

  private static boolean isRefusal(Condition condition) {
    return (condition.type().equals("Accepted") && condition.status() == Status.FALSE)
        || (condition.type().equals("Conflicted") && condition.status() == Status.TRUE);
  }

  /// Istio has no UDPRoute and refuses such a listener; what it does not know it does not decide.
  private boolean isUnsupportedUdp(CheckedListener one, Optional<Condition> refusal) {
    return one.protocol().equals(Optional.of(Protocol.UDP))
        && look.options().trust() == TrustOwner.AUTO
        && refusal.map(condition -> condition.reason().equals("UnsupportedProtocol")).orElse(false);
  }

  private ServedRoutes attach(
      Gateway gateway, List<CheckedListener> all, List<CheckedListener> tunnelled) {
    var served = new ServedRoutes();
    for (Claim claim : look.claims(gateway.ref())) {
      Attachment attachment = Attachment.of(look, gateway, all, claim);
      for (CheckedListener listener : attachment.listeners()) {
        if (tunnelled.contains(listener)
            && (isUnsupportedUdp(listener, refusal(gateway, listener))
                || ownerAllows(gateway, claim))) {
          served.add(listener, claim.route());
        }
      }
      if (attachment.listeners().isEmpty() && isOfMarked(gateway, claim.route())) {
        warn(claim.route(), attachment.accepted().reason(), attachment.accepted().message());
      }
    }
    return served;
  }

  private boolean isOfMarked(Gateway gateway, Route route) {
    return isMarked(gateway, route.protocol());
  }

  private boolean ownerAllows(Gateway gateway, Claim claim) {
    if (look.options().trust() == TrustOwner.NEVER) {
      return true;
    }
    Optional<Condition> verdict =
        ownersEntry(gateway, claim)
            .flatMap(entry -> entry.condition("Accepted"))
            .filter(one -> isCurrent(one, claim.route().meta().generation()))
            .filter(one -> one.status() != Status.UNKNOWN);
    if (verdict.isPresent() && verdict.get().status() == Status.FALSE) {
      warn(
          claim.route(),
          "NotAcceptedByOwner",
          owner(gateway)
              + " says at "
              + gateway.ref()
              + ": "
              + verdict.get().reason()
              + ": "
              + verdict.get().message());
      return false;
    }
    return verdict.isPresent() || look.options().trust() == TrustOwner.AUTO;
  }

  private Optional<RouteParentStatus> ownersEntry(Gateway gateway, Claim claim) {
    Optional<String> controller =
        look.gatewayClass(gateway.className()).map(GatewayClass::controllerName);
    return claim.route().parentStatuses().stream()
        .filter(one -> !one.controllerName().equals(GatewayClass.OUR_CONTROLLER))
        .filter(one -> controller.map(one.controllerName()::equals).orElse(true))
        .filter(one ->
            one.parent()
                .map(parent -> parent.isSame(claim.parent(), claim.route().meta().namespace()))
                .orElse(false))
        .findFirst();
  }

  private String owner(Gateway gateway) {
    return look.gatewayClass(gateway.className())
        .map(GatewayClass::controllerName)
        .orElse("the controller of the class " + gateway.className());
  }

  private void expose(Gateway gateway, CheckedListener checked, List<Route> routes) {
    int port = checked.listener().port();
    List<HostPort> direct = direct(gateway, port);
    var key =
        new TunnelKey(
            look.options().cluster(),
            checked.protocol().orElseThrow(),
            gateway.ref(),
            checked.listener().name());
    Optional<RoutingMode> mode = mode(gateway, key, direct);
    if (mode.isEmpty()) {
      return;
    }
    boolean isDirectTold = mode.get() != RoutingMode.TUNNEL;
    List<Backend> backends = backends(gateway, routes.getFirst());
    exposures.add(
        new Exposure(
            new DesiredTunnel(
                key,
                port,
                PortPolicy.ALLOCATE,
                mode.get(),
                isDirectTold ? direct.stream().findFirst() : Optional.empty(),
                ServedRoutes.refs(routes),
                backends,
                look.options().dialling(),
                ProxyHeader.NONE,
                Annotations.idleTimeout(look, gateway),
                Annotations.forGateway(gateway.meta())),
            gateway,
            checked.listener().name(),
            isDirectTold ? direct.stream().map(HostPort::toString).toList() : List.of()));
    Grant grant = look.grant(key.id()).orElse(null);
    if (grant instanceof Grant.Granted(var endpoint)) {
      String message = "listener " + checked.listener().name() + ": clients connect to " + endpoint;
      look.tell(gateway, Level.NORMAL, "Tunnelled", message);
      look.tell(routes.getFirst(), Level.NORMAL, "Tunnelled", gateway.ref() + ", " + message);
    } else if (grant instanceof Grant.Refused(var cause, var message)) {
      warn(gateway, cause.reason(), "listener " + checked.listener().name() + ": " + message);
    }
  }

  /// The owner's addresses, public ones first.
  private static List<HostPort> direct(Gateway gateway, int port) {
    var addresses = new ArrayList<HostPort>();
    for (boolean isPublic : new boolean[] {true, false}) {
      gateway.addresses().stream()
          .map(GatewayAddress::value)
          .filter(HostPort::isHost)
          .filter(host -> Addresses.isPublic(host) == isPublic)
          .map(host -> new HostPort(host, port))
          .forEach(addresses::add);
    }
    return addresses;
  }

  /// Empty while nothing is decided, or when there is nothing to tell.
  private Optional<RoutingMode> mode(Gateway gateway, TunnelKey key, List<HostPort> direct) {
    Optional<RoutingMode> wanted = Annotations.routingMode(look, gateway);
    if (wanted.isPresent()) {
      return asked(gateway, wanted.get(), direct);
    }
    if (look.options().routing().forced() == ForceTunnel.ON) {
      return Optional.of(RoutingMode.TUNNEL);
    }
    boolean isPublic = !direct.isEmpty() && Addresses.isPublic(direct.getFirst().host());
    if (look.options().routing().dual() == DualMode.ON) {
      // It is tunnelled either way: nobody has to wait for the owner's address.
      return Optional.of(isPublic ? RoutingMode.DUAL : RoutingMode.TUNNEL);
    }
    boolean isTunnelled =
        look.grant(key.id()).filter(Grant.Granted.class::isInstance).isPresent()
            || Endpoints.isTunnelled(look, gateway, key);
    if (isPublic) {
      // Clients may have learnt the tunnel's address: it is taken away only by the Gateway's
      // author.
      return Optional.of(isTunnelled ? RoutingMode.DUAL : RoutingMode.DIRECT);
    }
    return isTunnelled || hasWaited(gateway) ? Optional.of(RoutingMode.TUNNEL) : Optional.empty();
  }

  private Optional<RoutingMode> asked(Gateway gateway, RoutingMode wanted, List<HostPort> direct) {
    if (wanted == RoutingMode.TUNNEL || !direct.isEmpty()) {
      return Optional.of(wanted);
    }
    warn(
        gateway,
        "AddressNotAssigned",
        Annotations.ROUTING_MODE + " is " + wanted.label() + ", and it has no address yet");
    return wanted == RoutingMode.DUAL ? Optional.of(RoutingMode.TUNNEL) : Optional.empty();
  }

  private boolean hasWaited(Gateway gateway) {
    Instant created = gateway.meta().created();
    Instant until = created.plus(DiscoveryOptions.ADDRESS_WAIT);
    look.dependsOnTime();
    // A server whose clock is ahead must not make it wait for longer.
    if (created.isAfter(look.now()) || !until.isAfter(look.now())) {
      return true;
    }
    look.lookAgainAt(until);
    return false;
  }

  private List<Backend> backends(Gateway gateway, Route route) {
    ResolvedBackends backends =
        resolved.computeIfAbsent(
            route.ref(), _ -> ResolvedBackends.of(look, route, look.options().grants()));
    if (backends.verdict().status() == Status.FALSE) {
      warn(route, backends.verdict().reason(), backends.verdict().message());
    }
    for (ObjectRef target : backends.tolerated()) {
      warn(
          route,
          "RefNotPermitted",
          target
              + " is served at "
              + gateway.ref()
              + " although no ReferenceGrant allows it; that will end");
    }
    return backends.backends();
  }

  private void warn(KubernetesObject object, String reason, String message) {
    look.tell(object, Level.WARNING, reason, message);
  }
}
