package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.discovery.Notice.Level;
import dev.penstock.agent.kubernetes.objects.Gateway;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.Route;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Which routes are attached to the listeners of one Gateway. The oldest of a listener is served.
final class ServedRoutes {
  /// By the listener's name, and then by route.
  private final Map<String, Map<ObjectRef, Route>> byListener = new HashMap<>();

  /// Routes are added the oldest first.
  void add(CheckedListener listener, Route route) {
    byListener
        .computeIfAbsent(listener.listener().name(), _ -> new LinkedHashMap<>())
        .putIfAbsent(route.ref(), route);
  }

  /// The attached routes, the one that is served first.
  List<Route> of(CheckedListener listener) {
    return List.copyOf(byListener.getOrDefault(listener.listener().name(), Map.of()).values());
  }

  /// Tells the routes that are attached to a listener and not served.
  static void tellLosers(Look look, Gateway gateway, CheckedListener listener, List<Route> routes) {
    for (Route loser : routes.subList(Math.min(1, routes.size()), routes.size())) {
      look.tell(
          loser,
          Level.WARNING,
          "OlderRouteServed",
          "listener "
              + listener.listener().name()
              + " of "
              + gateway.ref()
              + " serves "
              + routes.getFirst().ref()
              + ", which is older");
    }
  }

  static List<ObjectRef> refs(List<Route> routes) {
    var refs = new ArrayList<ObjectRef>();
    routes.forEach(route -> refs.add(route.ref()));
    return refs;
  }
}
