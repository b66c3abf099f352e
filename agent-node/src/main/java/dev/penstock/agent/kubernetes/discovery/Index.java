package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.objects.Gateway;
import dev.penstock.agent.kubernetes.objects.GatewayClass;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.KubernetesObject;
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
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The objects of a view by what they are asked for. What has not changed since the view before is
/// taken over from it. Never changed once it is made.
///
/// @param gateways those of the watched namespaces
/// @param grants by namespace
/// @param namespaceLabels by name
/// @param endpoints those of the watched namespaces
record Index(
    ClusterView view,
    Map<String, GatewayClass> classes,
    List<Gateway> gateways,
    Routes routes,
    Map<String, List<ReferenceGrant>> grants,
    Map<ObjectRef, Service> services,
    Map<String, Map<String, String>> namespaceLabels,
    Map<ObjectRef, TunnelGatewayParameters> parameters,
    Map<ObjectRef, TunnelEndpoint> endpoints) {
  /// Older first; of the same second, by name.
  private static final Comparator<Route> BY_AGE =
      Comparator.<Route, Instant>comparing(route -> route.meta().created())
          .thenComparing(route -> route.meta().namespace())
          .thenComparing(route -> route.meta().name());

  /// A route that names a Gateway, in one of its references.
  record Claim(Route route, ParentRef parent) {}

  /// The routes of the watched namespaces, the oldest first.
  ///
  /// @param claims by Gateway
  record Routes(List<Route> all, Map<ObjectRef, List<Claim>> claims) {}

  /// @param before of an earlier view with the same options; null for the first
  static Index of(ClusterView view, DiscoveryOptions options, @Nullable Index before) {
    return new Index(
        view,
        same(view, before, Index::classes, Kind.GATEWAY_CLASS)
            .orMake(() -> byName(view.classes(), one -> one)),
        same(view, before, Index::gateways, Kind.GATEWAY)
            .orMake(() -> watched(view.gateways(), options)),
        same(view, before, Index::routes, Kind.TCP_ROUTE, Kind.UDP_ROUTE)
            .orMake(() -> routes(view, options)),
        same(view, before, Index::grants, Kind.REFERENCE_GRANT).orMake(() -> grants(view)),
        same(view, before, Index::services, Kind.SERVICE).orMake(() -> byRef(view.services())),
        same(view, before, Index::namespaceLabels, Kind.NAMESPACE)
            .orMake(() -> byName(view.namespaces(), one -> one.meta().labels())),
        same(view, before, Index::parameters, Kind.TUNNEL_GATEWAY_PARAMETERS)
            .orMake(() -> byRef(view.parameters())),
        same(view, before, Index::endpoints, Kind.TUNNEL_ENDPOINT)
            .orMake(() -> byRef(watched(view.endpoints(), options))));
  }

  /// @param known what was made of the same objects before
  private record Part<T>(@Nullable T known) {
    T orMake(Supplier<T> make) {
      return known == null ? make.get() : known;
    }
  }

  private static <T> Part<T> same(
      ClusterView view, @Nullable Index before, Function<Index, T> part, Kind... kinds) {
    return new Part<>(
        before != null && view.hasListsOf(before.view, kinds) ? part.apply(before) : null);
  }

  private static <T extends KubernetesObject> List<T> watched(
      List<T> objects, DiscoveryOptions options) {
    return objects.stream().filter(one -> options.isWatched(one.meta().namespace())).toList();
  }

  private static <T extends KubernetesObject> Map<ObjectRef, T> byRef(List<T> objects) {
    var all = HashMap.<ObjectRef, T>newHashMap(objects.size());
    objects.forEach(one -> all.put(one.ref(), one));
    return all;
  }

  private static <T extends KubernetesObject, V> Map<String, V> byName(
      List<T> objects, Function<T, V> value) {
    var all = HashMap.<String, V>newHashMap(objects.size());
    objects.forEach(one -> all.put(one.meta().name(), value.apply(one)));
    return all;
  }

  private static Map<String, List<ReferenceGrant>> grants(ClusterView view) {
    var grants = new HashMap<String, List<ReferenceGrant>>();
    view.grants()
        .forEach(
            one -> grants.computeIfAbsent(one.meta().namespace(), _ -> new ArrayList<>()).add(one));
    return grants;
  }

  private static Routes routes(ClusterView view, DiscoveryOptions options) {
    List<Route> all =
        Stream.concat(view.tcpRoutes().stream(), view.udpRoutes().stream())
            .filter(route -> options.isWatched(route.meta().namespace()))
            .sorted(BY_AGE)
            .toList();
    var claims = new HashMap<ObjectRef, List<Claim>>();
    for (Route route : all) {
      if (!route.meta().isDeleting()) {
        for (ParentRef parent : route.parents()) {
          if (parent.isGateway()) {
            claims
                .computeIfAbsent(parent.gateway(route.meta().namespace()), _ -> new ArrayList<>())
                .add(new Claim(route, parent));
          }
        }
      }
    }
    return new Routes(all, claims);
  }
}
