package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.objects.Gateway;
import dev.penstock.agent.kubernetes.objects.GatewayClass;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.KubernetesObject;
import dev.penstock.agent.kubernetes.objects.Namespace;
import dev.penstock.agent.kubernetes.objects.ObjectReader.Read.Unreadable;
import dev.penstock.agent.kubernetes.objects.ReferenceGrant;
import dev.penstock.agent.kubernetes.objects.Route;
import dev.penstock.agent.kubernetes.objects.Service;
import dev.penstock.agent.kubernetes.objects.TunnelEndpoint;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// All objects of a cluster that discovery looks at, as of some moment, in a fixed order.
/// Immutable. Endpoint slices are none of them: they change nothing about which tunnels there are.
public final class ClusterView {
  private final Map<Kind, Availability> kinds;
  private final Map<Kind, List<? extends KubernetesObject>> objects;
  private final List<Unreadable> unreadable;

  /// Puts a view together.
  ///
  /// @param kinds of each kind whether its objects are known; one that is left out is
  ///   [Availability.Absent]
  /// @param objects in any order, no two of the same kind, namespace and name
  /// @param unreadable objects that count as absent
  public ClusterView(
      Map<Kind, Availability> kinds,
      Collection<? extends KubernetesObject> objects,
      Collection<Unreadable> unreadable) {
    this.kinds = Map.copyOf(kinds);
    var byKind = new EnumMap<Kind, List<KubernetesObject>>(Kind.class);
    for (KubernetesObject object : objects) {
      byKind.computeIfAbsent(object.kind(), _ -> new ArrayList<>()).add(object);
    }
    byKind.values().forEach(ClusterView::order);
    this.objects = new EnumMap<>(byKind);
    this.unreadable = unreadable.stream().sorted(Comparator.comparing(Unreadable::ref)).toList();
  }

  /// Puts a view together whose lists are kept: of two views with one list of a kind, the later
  /// need not be looked through again.
  ///
  /// @param kinds as for the other constructor
  /// @param objects in the order of their names, never changed
  /// @param unreadable as for the other constructor
  public ClusterView(
      Map<Kind, Availability> kinds,
      Map<Kind, List<KubernetesObject>> objects,
      Collection<Unreadable> unreadable) {
    this.kinds = Map.copyOf(kinds);
    this.objects = new EnumMap<>(Kind.class);
    this.objects.putAll(objects);
    this.unreadable = unreadable.stream().sorted(Comparator.comparing(Unreadable::ref)).toList();
  }

  /// Whether the objects of these kinds are those of the other view, down to the lists themselves.
  @SuppressWarnings("ReferenceEquality")
  boolean hasListsOf(ClusterView other, Kind... of) {
    for (Kind kind : of) {
      if (objects.get(kind) != other.objects.get(kind)) {
        return false;
      }
    }
    return true;
  }

  /// Most often they are in order, for which nothing has to be built.
  private static void order(List<KubernetesObject> ofOneKind) {
    for (int i = 1; i < ofOneKind.size(); i++) {
      if (ofOneKind.get(i - 1).ref().compareTo(ofOneKind.get(i).ref()) > 0) {
        ofOneKind.sort(Comparator.comparing(KubernetesObject::ref));
        return;
      }
    }
  }

  public Availability availability(Kind kind) {
    return kinds.getOrDefault(kind, new Availability.Absent());
  }

  public List<Unreadable> unreadable() {
    return unreadable;
  }

  List<GatewayClass> classes() {
    return of(Kind.GATEWAY_CLASS, GatewayClass.class);
  }

  List<Gateway> gateways() {
    return of(Kind.GATEWAY, Gateway.class);
  }

  List<Route> tcpRoutes() {
    return of(Kind.TCP_ROUTE, Route.class);
  }

  List<Route> udpRoutes() {
    return of(Kind.UDP_ROUTE, Route.class);
  }

  List<ReferenceGrant> grants() {
    return of(Kind.REFERENCE_GRANT, ReferenceGrant.class);
  }

  List<Service> services() {
    return of(Kind.SERVICE, Service.class);
  }

  List<Namespace> namespaces() {
    return of(Kind.NAMESPACE, Namespace.class);
  }

  List<TunnelGatewayParameters> parameters() {
    return of(Kind.TUNNEL_GATEWAY_PARAMETERS, TunnelGatewayParameters.class);
  }

  List<TunnelEndpoint> endpoints() {
    return of(Kind.TUNNEL_ENDPOINT, TunnelEndpoint.class);
  }

  /// Whether nothing may be concluded from the absence of objects of this kind; why, for people.
  Optional<String> unread(Kind kind) {
    return availability(kind) instanceof Availability.Unread(var why)
        ? Optional.of(why)
        : Optional.empty();
  }

  private <T extends KubernetesObject> List<T> of(Kind kind, Class<T> type) {
    return objects.getOrDefault(kind, List.of()).stream().map(type::cast).toList();
  }
}
