package dev.penstock.agent.kubernetes.discovery;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.agent.kubernetes.objects.Condition;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.KubernetesObject;
import dev.penstock.agent.kubernetes.objects.Meta;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.RawJson;
import dev.penstock.agent.kubernetes.objects.TunnelEndpoint;
import dev.penstock.config.ClusterName;
import dev.penstock.config.HostPort;
import dev.penstock.protocol.control.RoutingMode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/// The `TunnelEndpoint` resources that there should be, against those that are there.
final class Endpoints {
  private static final String MANAGED_BY = "app.kubernetes.io/managed-by";
  private static final String PENSTOCK = "penstock";
  private static final String CONDITIONS = "conditions";
  private static final int MAX_LABEL = 63;

  /// Of a name, without the digest behind it.
  private static final int MAX_READABLE = 200;

  private static final Set<Kind> SOURCES =
      Set.of(Kind.GATEWAY_CLASS, Kind.GATEWAY, Kind.TCP_ROUTE, Kind.UDP_ROUTE, Kind.SERVICE);

  private final Look look;
  private final List<EndpointWrite> writes = new ArrayList<>();
  private final Set<ObjectRef> wanted = new HashSet<>();
  private final Map<String, String> ourLabels;

  private Endpoints(Look look) {
    this.look = look;
    this.ourLabels = labels(look.options().cluster());
  }

  /// What there should be for one exposure.
  ///
  /// @param write empty when it is there already
  record Wanted(ObjectRef ref, Optional<EndpointWrite> write) {}

  /// @param memory of the last look
  static List<EndpointWrite> of(Look look, List<Exposure> exposures, Recall<Wanted> memory) {
    if (!(look.availability(Kind.TUNNEL_ENDPOINT) instanceof Availability.Served)) {
      return List.of();
    }
    var endpoints = new Endpoints(look);
    for (Exposure exposure : exposures) {
      Wanted one =
          memory.of(look, exposure.tunnel().key(), exposure, () -> endpoints.want(exposure));
      endpoints.wanted.add(one.ref());
      one.write().ifPresent(endpoints.writes::add);
    }
    endpoints.removeOthers();
    return endpoints.writes;
  }

  /// Whether users were told that this listener is tunnelled.
  static boolean isTunnelled(Look look, KubernetesObject owner, TunnelKey key) {
    return look.endpoint(ref(owner, key))
        .map(one -> one.otherStatus().tree().path("mode").asText())
        .map(mode ->
            mode.equals(RoutingMode.TUNNEL.label()) || mode.equals(RoutingMode.DUAL.label()))
        .orElse(false);
  }

  /// Named after the owner and its section. With the uid in the digest an owner that is made anew
  /// gets one of its own, and the garbage collector may take the old one.
  private static ObjectRef ref(KubernetesObject owner, TunnelKey key) {
    String readable = key.owner().name() + "-" + key.section();
    String digest = TunnelKey.digest(owner.meta().uid() + "\0" + key.id(), 5);
    String kept = readable.substring(0, Math.min(readable.length(), MAX_READABLE));
    return new ObjectRef(
        Kind.TUNNEL_ENDPOINT,
        key.owner().namespace(),
        kept.replaceAll("[^a-z0-9]+$", "") + "-" + digest);
  }

  private Wanted want(Exposure exposure) {
    ObjectRef ref = ref(exposure.owner(), exposure.tunnel().key());
    return new Wanted(ref, write(exposure, ref));
  }

  private Optional<EndpointWrite> write(Exposure exposure, ObjectRef ref) {
    Optional<TunnelEndpoint> stored = look.endpoint(ref);
    if (stored.isEmpty()) {
      return Optional.of(new EndpointWrite.Create(ref, object(exposure, ref, Optional.empty())));
    }
    Meta meta = stored.get().meta();
    if (meta.isDeleting()) {
      return Optional.empty();
    }
    boolean isSame =
        Json.areSame(stored.get().spec().tree(), spec(exposure)) && isOurs(stored.get());
    return isSame
        ? status(exposure, stored.get())
            .map(
                status -> new EndpointWrite.Status(ref, meta.resourceVersion(), RawJson.of(status)))
        : Optional.of(
            new EndpointWrite.Replace(ref, meta.resourceVersion(), object(exposure, ref, stored)));
  }

  private void removeOthers() {
    if (SOURCES.stream().anyMatch(kind -> look.unread(kind).isPresent())) {
      return;
    }
    for (TunnelEndpoint one : look.endpoints()) {
      if (!wanted.contains(one.ref()) && !one.meta().isDeleting() && isOurs(one)) {
        writes.add(new EndpointWrite.Delete(one.ref(), one.meta().uid()));
      }
    }
  }

  private boolean isOurs(TunnelEndpoint one) {
    return one.meta().labels().entrySet().containsAll(ourLabels.entrySet());
  }

  private static Map<String, String> labels(String cluster) {
    boolean isLabel = cluster.length() <= MAX_LABEL && ClusterName.isOne(cluster);
    return Map.of(
        MANAGED_BY,
        PENSTOCK,
        TunnelEndpoint.CLUSTER_LABEL,
        isLabel ? cluster : TunnelKey.digest(cluster, 16));
  }

  private RawJson object(Exposure exposure, ObjectRef ref, Optional<TunnelEndpoint> stored) {
    ObjectNode object =
        Json.object()
            .put("apiVersion", version(Kind.TUNNEL_ENDPOINT))
            .put("kind", Kind.TUNNEL_ENDPOINT.label());
    ObjectNode meta = object.putObject("metadata");
    meta.put("namespace", ref.namespace()).put("name", ref.name());
    stored
        .map(TunnelEndpoint::meta)
        .ifPresent(before -> {
          meta.put("uid", before.uid()).put("resourceVersion", before.resourceVersion());
          if (!before.annotations().isEmpty()) {
            ObjectNode annotations = meta.putObject("annotations");
            new TreeMap<>(before.annotations()).forEach(annotations::put);
          }
          if (!before.finalizers().isEmpty()) {
            ArrayNode finalizers = meta.putArray("finalizers");
            before.finalizers().forEach(finalizers::add);
          }
        });
    var allLabels =
        new TreeMap<String, String>(stored.map(one -> one.meta().labels()).orElse(new HashMap<>()));
    allLabels.putAll(ourLabels);
    ObjectNode labels = meta.putObject("labels");
    allLabels.forEach(labels::put);
    meta.putArray("ownerReferences")
        .addObject()
        .put("apiVersion", version(exposure.owner().kind()))
        .put("kind", exposure.owner().kind().label())
        .put("name", exposure.owner().meta().name())
        .put("uid", exposure.owner().meta().uid());
    object.set("spec", spec(exposure));
    return RawJson.of(object);
  }

  private String version(Kind kind) {
    return kind.apiVersion(
        look.availability(kind) instanceof Availability.Served(var version)
            ? version
            : kind.versions().getFirst());
  }

  private static ObjectNode spec(Exposure exposure) {
    TunnelKey key = exposure.tunnel().key();
    ObjectNode spec = Json.object();
    ObjectNode parent = spec.putObject("parent");
    if (!key.owner().kind().group().isEmpty()) {
      parent.put("group", key.owner().kind().group());
    }
    parent.put("kind", key.owner().kind().label()).put("name", key.owner().name());
    return spec.put("listener", exposure.section())
        .put("listenerPort", exposure.tunnel().listenerPort())
        .put("protocol", key.protocol().name());
  }

  /// The status to store; empty when it is stored already.
  private Optional<ObjectNode> status(Exposure exposure, TunnelEndpoint stored) {
    DesiredTunnel tunnel = exposure.tunnel();
    ObjectNode status = Json.object();
    Optional<Grant> grant = look.grant(tunnel.id());
    Optional<HostPort> address = address(tunnel, grant, stored);
    address.ifPresent(at -> status.put("host", at.host()).put("port", at.port()));
    status.put("mode", tunnel.mode().label());
    if (!exposure.direct().isEmpty()) {
      ArrayNode direct = status.putArray("directAddresses");
      exposure.direct().stream().limit(16).forEach(direct::add);
    }
    tunnel.routes().stream()
        .findFirst()
        .ifPresent(route ->
            status.put(
                "route", route.kind().label() + "/" + route.namespace() + "/" + route.name()));
    String service = service(tunnel);
    if (!service.isEmpty()) {
      status.put("service", service);
    }
    status.put("tunnelId", tunnel.id());
    List<Condition> conditions =
        Conditions.merge(
            stored.conditions(),
            List.of(ready(tunnel, grant, address, stored)),
            stored.meta().generation(),
            look.now());
    if (conditions.equals(stored.conditions())
        && Json.areSame(stored.otherStatus().tree(), status)) {
      return Optional.empty();
    }
    status.set(CONDITIONS, Conditions.toJson(conditions));
    return Optional.of(status);
  }

  private static Optional<HostPort> address(
      DesiredTunnel tunnel, Optional<Grant> grant, TunnelEndpoint stored) {
    if (tunnel.mode() == RoutingMode.DIRECT) {
      return tunnel.publicEndpoint();
    }
    if (grant.isPresent()) {
      return grant.get() instanceof Grant.Granted(var endpoint)
          ? Optional.of(endpoint)
          : Optional.empty();
    }
    // The port is the tunnel's for as long as the gateway says nothing else.
    JsonNode status = stored.otherStatus().tree();
    String host = status.path("host").asText();
    int port = status.path("port").asInt();
    boolean wasTunnelled = !status.path("mode").asText().equals(RoutingMode.DIRECT.label());
    return wasTunnelled && HostPort.isHost(host) && port > 0 && port <= 0xffff
        ? Optional.of(new HostPort(host, port))
        : Optional.empty();
  }

  /// What answers: the first Service, and how many more there are.
  private static String service(DesiredTunnel tunnel) {
    List<Backend.ToService> services =
        tunnel.backends().stream()
            .filter(Backend.ToService.class::isInstance)
            .map(Backend.ToService.class::cast)
            .toList();
    if (services.isEmpty()) {
      return "";
    }
    Backend.ToService first = services.getFirst();
    return first.service().namespace()
        + "/"
        + first.service().name()
        + ":"
        + first.port()
        + (services.size() > 1 ? " (and " + (services.size() - 1) + " more)" : "");
  }

  private Verdict ready(
      DesiredTunnel tunnel,
      Optional<Grant> grant,
      Optional<HostPort> address,
      TunnelEndpoint stored) {
    if (tunnel.mode() == RoutingMode.DIRECT) {
      return Verdict.yes("Ready", "Direct", "clients connect to the owner itself");
    }
    if (grant.isPresent() && grant.get() instanceof Grant.Refused(var cause, var message)) {
      return Verdict.no("Ready", cause.reason(), message);
    }
    if (tunnel.backends().stream().noneMatch(Endpoints::takesConnections)) {
      return Verdict.no("Ready", "NoBackends", "every client is refused");
    }
    Optional<Condition> before =
        stored.conditions().stream().filter(one -> one.type().equals("Ready")).findFirst();
    boolean wasReady =
        before.map(one -> one.status() == Condition.Status.TRUE).orElse(false)
            && address.isPresent();
    if (grant.isEmpty() || grant.get() instanceof Grant.Known) {
      return wasReady && look.isHeld()
          ? Verdict.of(before.orElseThrow())
          : Verdict.no("Ready", "Pending", "the gateway has not answered yet");
    }
    return look.isLinked() || look.isHeld()
        ? Verdict.yes("Ready", "Ready", "clients are served")
        : Verdict.no("Ready", "NoAgent", "no agent is linked to the gateway");
  }

  private static boolean takesConnections(Backend backend) {
    return backend instanceof Backend.ToService && backend.weight() > 0;
  }
}
