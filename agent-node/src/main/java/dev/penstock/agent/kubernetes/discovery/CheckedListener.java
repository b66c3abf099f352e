package dev.penstock.agent.kubernetes.discovery;

import static java.util.stream.Collectors.joining;

import dev.penstock.agent.kubernetes.objects.AllowedRoutes.RouteGroupKind;
import dev.penstock.agent.kubernetes.objects.Gateway;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.Listener;
import dev.penstock.protocol.control.Protocol;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// A listener of a Gateway, held against what we can do and against the Gateway's other listeners,
/// without a look at anything else.
///
/// @param protocol empty when it is none of ours
/// @param routes the kinds of routes that may attach
/// @param unknownKinds kinds that it allows and that its protocol does not have
/// @param flaw why it is not accepted; empty when it is
/// @param conflict with what it is in conflict; empty when it is not
record CheckedListener(
    Listener listener,
    Optional<Protocol> protocol,
    Set<Kind> routes,
    List<RouteGroupKind> unknownKinds,
    Optional<Flaw> flaw,
    Optional<String> conflict) {
  /// A reason of a condition, and a sentence for people.
  record Flaw(String reason, String message) {}

  private static final String GROUP = Kind.GATEWAY.group();

  /// All listeners of a Gateway, in its order.
  static List<CheckedListener> of(Gateway gateway) {
    var checked = new ArrayList<CheckedListener>();
    var names = new HashSet<String>();
    var twice = new HashSet<String>();
    gateway.listeners().stream()
        .map(Listener::name)
        .filter(name -> !names.add(name))
        .forEach(twice::add);
    for (Listener listener : gateway.listeners()) {
      Optional<Protocol> protocol = protocol(listener);
      Set<Kind> kinds = protocol.map(CheckedListener::kind).map(Set::of).orElse(Set.of());
      Optional<String> conflict = conflict(listener, gateway.listeners());
      checked.add(
          new CheckedListener(
              listener,
              protocol,
              allowed(listener, kinds),
              unknown(listener, kinds),
              flaw(listener, protocol, twice, conflict),
              conflict));
    }
    return checked;
  }

  boolean isAccepted() {
    return flaw.isEmpty();
  }

  private static Optional<Protocol> protocol(Listener listener) {
    return switch (listener.protocol()) {
      case "TCP" -> Optional.of(Protocol.TCP);
      case "UDP" -> Optional.of(Protocol.UDP);
      default -> Optional.empty();
    };
  }

  private static Kind kind(Protocol protocol) {
    return switch (protocol) {
      case TCP -> Kind.TCP_ROUTE;
      case UDP -> Kind.UDP_ROUTE;
    };
  }

  private static Set<Kind> allowed(Listener listener, Set<Kind> kinds) {
    if (listener.allowed().kinds().isEmpty()) {
      return kinds;
    }
    var allowed = new LinkedHashSet<Kind>();
    for (Kind kind : kinds) {
      if (listener.allowed().kinds().contains(new RouteGroupKind(GROUP, kind.label()))) {
        allowed.add(kind);
      }
    }
    return allowed;
  }

  private static List<RouteGroupKind> unknown(Listener listener, Set<Kind> kinds) {
    return listener.allowed().kinds().stream()
        .filter(one ->
            kinds.stream().noneMatch(kind -> one.equals(new RouteGroupKind(GROUP, kind.label()))))
        .toList();
  }

  private static Optional<Flaw> flaw(
      Listener listener,
      Optional<Protocol> protocol,
      Set<String> twice,
      Optional<String> conflict) {
    if (twice.contains(listener.name())) {
      return Optional.of(
          new Flaw("UnsupportedValue", "several listeners have the name " + listener.name()));
    }
    if (protocol.isEmpty()) {
      return Optional.of(
          new Flaw(
              "UnsupportedProtocol",
              "protocol: " + shown(listener.protocol()) + " (expected: TCP or UDP)"));
    }
    if (listener.port() < 1 || listener.port() > 0xffff) {
      return Optional.of(
          new Flaw("PortUnavailable", "port: " + listener.port() + " (expected: 1 to 65535)"));
    }
    if (listener.tls() == Listener.Tls.CONFIGURED) {
      return Optional.of(
          new Flaw(
              "UnsupportedValue",
              "tls: found with protocol "
                  + listener.protocol()
                  + " (expected: none, the bytes are carried as they are)"));
    }
    return conflict.map(with -> new Flaw("PortUnavailable", with));
  }

  /// TCP shares its port numbers with everything that is carried by it; UDP has its own. Two
  /// listeners of which none is TCP or UDP are not ours to judge.
  private static Optional<String> conflict(Listener listener, List<Listener> all) {
    List<String> others =
        all.stream()
            .filter(other ->
                !other.name().equals(listener.name())
                    && other.port() == listener.port()
                    && isUdp(other) == isUdp(listener)
                    && (protocol(other).isPresent() || protocol(listener).isPresent()))
            .map(other -> other.name() + " (" + shown(other.protocol()) + ")")
            .toList();
    return others.isEmpty()
        ? Optional.empty()
        : Optional.of(
            "port "
                + listener.port()
                + " is also that of "
                + others.stream().limit(4).collect(joining(", "))
                + (others.size() > 4 ? " and " + (others.size() - 4) + " more" : ""));
  }

  private static boolean isUdp(Listener listener) {
    return listener.protocol().equals("UDP");
  }

  private static String shown(String text) {
    return text.length() <= 64 ? text : text.substring(0, 64) + "...";
  }
}
