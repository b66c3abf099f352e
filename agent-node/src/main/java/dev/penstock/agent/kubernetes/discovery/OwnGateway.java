package dev.penstock.agent.kubernetes.discovery;

import static java.util.stream.Collectors.joining;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.agent.kubernetes.discovery.DiscoveryOptions.GrantPolicy;
import dev.penstock.agent.kubernetes.discovery.Grant.Granted;
import dev.penstock.agent.kubernetes.discovery.Grant.Refused;
import dev.penstock.agent.kubernetes.discovery.Index.Claim;
import dev.penstock.agent.kubernetes.discovery.Notice.Level;
import dev.penstock.agent.kubernetes.discovery.RouteStatuses.Entry;
import dev.penstock.agent.kubernetes.objects.AllowedRoutes.RouteGroupKind;
import dev.penstock.agent.kubernetes.objects.Condition;
import dev.penstock.agent.kubernetes.objects.Gateway;
import dev.penstock.agent.kubernetes.objects.GatewayAddress;
import dev.penstock.agent.kubernetes.objects.GatewayClass;
import dev.penstock.agent.kubernetes.objects.ListenerStatus;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.RawJson;
import dev.penstock.agent.kubernetes.objects.Route;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.PortPolicy;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.RoutingMode;
import dev.penstock.protocol.net.ProxyHeader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// One Gateway of a class of ours: its tunnels, its status, and what is said of the routes that
/// name it.
final class OwnGateway {
  private static final int MAX_ADDRESSES = 16;

  private final Look look;
  private final Gateway gateway;
  private final List<Exposure> exposures = new ArrayList<>();
  private final List<OfRoute> entries = new ArrayList<>();
  private final Map<ObjectRef, ResolvedBackends> resolved = new HashMap<>();

  private OwnGateway(Look look, Gateway gateway) {
    this.look = look;
    this.gateway = gateway;
  }

  /// What was found out.
  ///
  /// @param status empty when it is stored already
  record Found(List<Exposure> exposures, List<OfRoute> routes, Optional<StatusWrite> status) {}

  /// What it says of a route.
  record OfRoute(ObjectRef route, Entry entry) {}

  static Found find(Look look, Gateway gateway) {
    GatewayClass ours = OwnGateways.classOf(look, gateway).orElseThrow();
    return new OwnGateway(look, gateway).find(Parameters.of(look, ours, gateway));
  }

  private Found find(Parameters parameters) {
    List<CheckedListener> listeners = CheckedListener.of(gateway);
    ServedRoutes served = attach(listeners);
    Verdict accepted = accepted(listeners, parameters);
    var states = new ArrayList<ListenerState>();
    for (CheckedListener listener : listeners) {
      List<Route> routes = served.of(listener);
      states.add(
          !accepted.isTrue() || !listener.isAccepted()
              ? ListenerState.notServed(listener, accepted)
              : expose(listener, routes, (Parameters.Known) parameters));
    }
    return new Found(exposures, entries, status(accepted, states, served));
  }

  private ServedRoutes attach(List<CheckedListener> listeners) {
    var served = new ServedRoutes();
    for (Claim claim : look.claims(gateway.ref())) {
      Attachment attachment = Attachment.of(look, gateway, listeners, claim);
      attachment.listeners().forEach(listener -> served.add(listener, claim.route()));
      ResolvedBackends backends = backends(claim.route());
      entries.add(
          new OfRoute(
              claim.route().ref(),
              new Entry(claim.parent(), List.of(attachment.accepted(), backends.verdict()))));
      tellProblem(claim.route(), attachment.accepted());
      tellProblem(claim.route(), backends.verdict());
    }
    return served;
  }

  private void tellProblem(Route route, Verdict verdict) {
    if (verdict.status() == Condition.Status.FALSE) {
      look.tell(route, Level.WARNING, verdict.reason(), verdict.message());
    }
  }

  private ResolvedBackends backends(Route route) {
    return resolved.computeIfAbsent(
        route.ref(), _ -> ResolvedBackends.of(look, route, GrantPolicy.ENFORCE));
  }

  private Verdict accepted(List<CheckedListener> listeners, Parameters parameters) {
    if (parameters instanceof Parameters.Unknown(var verdict)) {
      return verdict;
    }
    for (GatewayAddress address : gateway.requestedAddresses()) {
      if (!address.type().equals(GatewayAddress.IP_ADDRESS)
          && !address.type().equals(GatewayAddress.HOSTNAME)) {
        return Verdict.no(
            "Accepted",
            "UnsupportedAddress",
            "spec.addresses: " + address.type() + " (expected: IPAddress or Hostname)");
      }
    }
    List<String> refused =
        listeners.stream()
            .filter(one -> !one.isAccepted())
            .map(one -> one.listener().name())
            .toList();
    if (listeners.isEmpty()) {
      return Verdict.no("Accepted", "ListenersNotValid", "there are no listeners");
    }
    if (refused.isEmpty()) {
      return Verdict.yes("Accepted", "Accepted", "every listener is valid");
    }
    if (refused.size() == listeners.size()) {
      return Verdict.no("Accepted", "ListenersNotValid", "no listener is valid");
    }
    return Verdict.yes(
        "Accepted",
        "ListenersNotValid",
        "not valid: "
            + String.join(", ", refused)
            + "; valid: "
            + listeners.stream()
                .filter(CheckedListener::isAccepted)
                .map(one -> one.listener().name())
                .collect(joining(", ")));
  }

  /// What became of one listener.
  ///
  /// @param host of its public address; empty without one
  /// @param keepsAddresses whether its address is not known for now and the stored ones stay
  private record ListenerState(
      CheckedListener listener,
      Verdict accepted,
      Verdict programmed,
      Optional<String> host,
      boolean keepsAddresses) {
    static ListenerState notServed(CheckedListener listener, Verdict gateway) {
      Verdict accepted =
          listener
              .flaw()
              .map(flaw -> Verdict.no("Accepted", flaw.reason(), flaw.message()))
              .orElseGet(() -> Verdict.yes("Accepted", "Accepted", "valid"));
      String why =
          listener.flaw().isPresent() ? "it is not accepted" : "the Gateway: " + gateway.message();
      return new ListenerState(
          listener, accepted, Verdict.no("Programmed", "Invalid", why), Optional.empty(), false);
    }
  }

  private ListenerState expose(
      CheckedListener checked, List<Route> routes, Parameters.Known parameters) {
    var key =
        new TunnelKey(
            look.options().cluster(),
            checked.protocol().orElseThrow(),
            gateway.ref(),
            checked.listener().name());
    exposures.add(
        new Exposure(
            new DesiredTunnel(
                key,
                checked.listener().port(),
                parameters.policy(),
                RoutingMode.TUNNEL,
                Optional.empty(),
                ServedRoutes.refs(routes),
                routes.isEmpty() ? List.of() : backends(routes.getFirst()).backends(),
                parameters.dialling(),
                proxyProtocol(key.protocol(), parameters),
                parameters.idleTimeout().or(() -> Annotations.idleTimeout(look, gateway)),
                Annotations.forGateway(gateway.meta())),
            gateway,
            checked.listener().name(),
            List.of()));
    ServedRoutes.tellLosers(look, gateway, checked, routes);
    return granted(checked, parameters, look.grant(key.id()));
  }

  /// The header's first version knows no UDP; a Gateway may have listeners of both kinds.
  private static ProxyHeader proxyProtocol(Protocol protocol, Parameters.Known parameters) {
    return protocol == Protocol.UDP && parameters.proxyProtocol() == ProxyHeader.V1
        ? ProxyHeader.NONE
        : parameters.proxyProtocol();
  }

  private ListenerState granted(
      CheckedListener checked, Parameters.Known parameters, Optional<Grant> grant) {
    Verdict accepted = Verdict.yes("Accepted", "Accepted", "valid");
    String name = checked.listener().name();
    Optional<Condition> stored =
        gateway.listenerStatus(name).flatMap(one -> one.condition("Programmed"));
    return switch (grant.orElse(new Grant.Known())) {
      case Refused(var cause, var message) -> {
        String reason = cause.reason();
        look.tell(gateway, Level.WARNING, reason, "listener " + name + ": " + message);
        yield new ListenerState(
            checked,
            cause == Grant.Cause.PORT ? Verdict.no("Accepted", reason, message) : accepted,
            Verdict.no("Programmed", "Invalid", message),
            Optional.empty(),
            false);
      }
      case Granted(var endpoint)
          when parameters.policy() == PortPolicy.EXACT
              && endpoint.port() != checked.listener().port() ->
          new ListenerState(
              checked,
              accepted,
              pending("the gateway has not taken up port " + checked.listener().port() + " yet"),
              Optional.of(endpoint.host()),
              false);
      case Granted(var endpoint) -> {
        boolean isServed = look.isLinked() || look.isHeld();
        Verdict programmed =
            isServed
                ? Verdict.yes("Programmed", "Programmed", "clients connect to " + endpoint)
                : pending("no agent is linked to the gateway");
        if (programmed.isTrue()) {
          look.tell(
              gateway,
              Level.NORMAL,
              "Programmed",
              "listener " + name + ": clients connect to " + endpoint);
        }
        yield new ListenerState(checked, accepted, programmed, Optional.of(endpoint.host()), false);
      }
      case Grant.Known _ -> {
        // After a start nothing was said yet; that is no reason to tell users that they are cut
        // off.
        boolean isKept =
            stored.map(one -> one.status() == Condition.Status.TRUE).orElse(false) && look.isHeld();
        yield new ListenerState(
            checked,
            accepted,
            isKept
                ? Verdict.of(stored.orElseThrow())
                : pending(
                    look.isLinked()
                        ? "the gateway has not answered yet"
                        : "no agent is linked to the gateway"),
            Optional.empty(),
            isKept);
      }
    };
  }

  private static Verdict pending(String message) {
    return Verdict.no("Programmed", "Pending", message);
  }

  private Optional<StatusWrite> status(
      Verdict accepted, List<ListenerState> states, ServedRoutes served) {
    long generation = gateway.meta().generation();
    boolean isAhead =
        Conditions.areAhead(gateway.conditions(), generation)
            || gateway.listenerStatuses().stream()
                .anyMatch(one -> Conditions.areAhead(one.conditions(), generation));
    if (isAhead) {
      return Optional.empty();
    }
    Verdict all = acceptedAfterPorts(accepted, states);
    if (all.status() == Condition.Status.FALSE) {
      look.tell(gateway, Level.WARNING, all.reason(), all.message());
    }
    List<GatewayAddress> addresses = addresses(states);
    List<Condition> conditions =
        Conditions.merge(
            gateway.conditions(),
            List.of(all, programmed(all, states, addresses)),
            generation,
            look.now());
    var listeners = new ArrayList<ListenerStatus>();
    var names = new HashSet<String>();
    for (ListenerState state : states) {
      // The status is a map by name; of two with one name the first is told.
      if (names.add(state.listener().listener().name())) {
        listeners.add(listenerStatus(state, served));
      }
    }
    if (conditions.equals(gateway.conditions())
        && addresses.equals(gateway.addresses())
        && listeners.equals(gateway.listenerStatuses())) {
      return Optional.empty();
    }
    ObjectNode status = Json.copy(gateway.otherStatus().tree());
    ArrayNode addressList = status.putArray("addresses");
    addresses.forEach(
        one -> addressList.addObject().put("type", one.type()).put("value", one.value()));
    status.set("conditions", Conditions.toJson(conditions));
    ArrayNode listenerList = status.putArray("listeners");
    listeners.forEach(one -> listenerList.add(json(one)));
    return Optional.of(
        new StatusWrite(
            gateway.ref(),
            gateway.meta().uid(),
            gateway.meta().resourceVersion(),
            RawJson.of(status)));
  }

  /// A Gateway none of whose valid listeners got its port is as little accepted as one without
  /// valid listeners.
  private static Verdict acceptedAfterPorts(Verdict accepted, List<ListenerState> states) {
    List<String> refused =
        states.stream()
            .filter(state -> !state.accepted().isTrue())
            .map(state -> state.listener().listener().name())
            .toList();
    if (!accepted.isTrue() || refused.isEmpty()) {
      return accepted;
    }
    return refused.size() == states.size()
        ? Verdict.no("Accepted", "ListenersNotValid", "no listener is valid")
        : Verdict.yes(
            "Accepted",
            "ListenersNotValid",
            "not valid: "
                + String.join(", ", refused)
                + "; valid: "
                + states.stream()
                    .filter(state -> state.accepted().isTrue())
                    .map(state -> state.listener().listener().name())
                    .collect(joining(", ")));
  }

  private List<GatewayAddress> addresses(List<ListenerState> states) {
    var addresses = new LinkedHashSet<GatewayAddress>();
    states.forEach(state ->
        state
            .host()
            .map(host ->
                new GatewayAddress(
                    Addresses.isLiteral(host) ? GatewayAddress.IP_ADDRESS : GatewayAddress.HOSTNAME,
                    host))
            .ifPresent(addresses::add));
    if (states.stream().anyMatch(ListenerState::keepsAddresses)) {
      addresses.addAll(gateway.addresses());
    }
    return addresses.stream().limit(MAX_ADDRESSES).toList();
  }

  private Verdict programmed(
      Verdict accepted, List<ListenerState> states, List<GatewayAddress> given) {
    if (!accepted.isTrue()) {
      return Verdict.no("Programmed", "Invalid", "it is not accepted");
    }
    long programmed = states.stream().filter(state -> state.programmed().isTrue()).count();
    if (programmed == 0) {
      return look.isLinked()
          ? pending("the gateway has not taken up any listener yet")
          : Verdict.no("Programmed", "NoResources", "no agent is linked to the gateway");
    }
    for (GatewayAddress wanted : gateway.requestedAddresses()) {
      boolean isGiven =
          wanted.value().isEmpty()
              || given.stream().anyMatch(one -> one.value().equalsIgnoreCase(wanted.value()));
      if (!isGiven) {
        return Verdict.no(
            "Programmed",
            "AddressNotUsable",
            "spec.addresses: "
                + wanted.value()
                + " (expected: "
                + given.stream().map(GatewayAddress::value).collect(joining(", "))
                + ")");
      }
    }
    return Verdict.yes(
        "Programmed", "Programmed", programmed + " of " + states.size() + " listeners are served");
  }

  private ListenerStatus listenerStatus(ListenerState state, ServedRoutes served) {
    CheckedListener checked = state.listener();
    String name = checked.listener().name();
    Verdict conflicted =
        checked
            .conflict()
            .map(message -> Verdict.yes("Conflicted", "ProtocolConflict", message))
            .orElseGet(() -> Verdict.no("Conflicted", "NoConflicts", "no other has its port"));
    Verdict resolvedRefs =
        checked.unknownKinds().isEmpty()
            ? Verdict.yes("ResolvedRefs", "ResolvedRefs", "all kinds of routes are known")
            : Verdict.no(
                "ResolvedRefs",
                "InvalidRouteKinds",
                "allowedRoutes.kinds: "
                    + checked.unknownKinds().stream()
                        .limit(4)
                        .map(kind -> kind.group() + "/" + kind.kind())
                        .collect(joining(", "))
                    + " (expected: "
                    + expectedKind(checked)
                    + ")");
    return new ListenerStatus(
        name,
        checked.routes().stream()
            .map(kind -> new RouteGroupKind(kind.group(), kind.label()))
            .toList(),
        attached(checked, served),
        Conditions.merge(
            gateway.listenerStatus(name).map(ListenerStatus::conditions).orElse(List.of()),
            List.of(state.accepted(), conflicted, resolvedRefs, state.programmed()),
            gateway.meta().generation(),
            look.now()));
  }

  /// Routes that were never read are not told as gone.
  private int attached(CheckedListener checked, ServedRoutes served) {
    boolean isKnown = checked.routes().stream().allMatch(kind -> look.unread(kind).isEmpty());
    return isKnown
        ? served.of(checked).size()
        : gateway
            .listenerStatus(checked.listener().name())
            .map(ListenerStatus::attachedRoutes)
            .orElse(0);
  }

  private static String expectedKind(CheckedListener checked) {
    return checked.protocol().map(protocol -> protocol.name() + "Route").orElse("none");
  }

  private static ObjectNode json(ListenerStatus listener) {
    ObjectNode node = Json.object().put("name", listener.name());
    ArrayNode kinds = node.putArray("supportedKinds");
    listener
        .supportedKinds()
        .forEach(kind -> kinds.addObject().put("group", kind.group()).put("kind", kind.kind()));
    node.put("attachedRoutes", listener.attachedRoutes());
    node.set("conditions", Conditions.toJson(listener.conditions()));
    return node;
  }
}
