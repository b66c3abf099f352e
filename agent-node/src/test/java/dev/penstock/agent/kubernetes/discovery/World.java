package dev.penstock.agent.kubernetes.discovery;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import dev.penstock.agent.kubernetes.discovery.DiscoveryOptions.GrantPolicy;
import dev.penstock.agent.kubernetes.discovery.DiscoveryOptions.TrustOwner;
import dev.penstock.agent.kubernetes.objects.GatewayClass;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.KubernetesObject;
import dev.penstock.agent.kubernetes.objects.ObjectReader;
import dev.penstock.agent.kubernetes.objects.ObjectReader.Read;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.Dialling;
import dev.penstock.agent.settings.RoutingSettings;
import dev.penstock.agent.settings.RoutingSettings.DualMode;
import dev.penstock.agent.settings.RoutingSettings.ForceTunnel;
import dev.penstock.config.HostPort;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// A cluster in memory for tests: objects in YAML, a gateway that answers, a clock that is set by
/// hand, and an API server that stores what discovery wants written.
final class World {
  static final Instant START = Instant.parse("2026-03-01T12:00:00Z");

  private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory());
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Map<ObjectRef, ObjectNode> objects = new LinkedHashMap<>();
  private final Map<Kind, Availability> kinds = new EnumMap<>(Kind.class);
  private final Map<String, Grant> grants = new HashMap<>();
  private GatewayLink link = new GatewayLink(GatewayLink.State.UP, START.minusSeconds(3600));
  private Instant now = START;
  private long resourceVersion = 100;

  Optional<GatewayLabel> label = Optional.of(GatewayLabel.parse("pipeops.io/managed"));
  ForceTunnel forced = ForceTunnel.ON;
  DualMode dual = DualMode.ON;
  TrustOwner trust = TrustOwner.AUTO;
  GrantPolicy grantPolicy = GrantPolicy.ENFORCE;
  Set<String> namespaces = Set.of();

  World() {
    for (Kind kind : Kind.values()) {
      kinds.put(kind, new Availability.Served(kind.versions().getFirst()));
    }
  }

  static World of(String... yaml) {
    return new World().apply(yaml);
  }

  /// Adds or replaces objects, which are given what every object has where they say nothing of it.
  World apply(String... documents) {
    for (String yaml : documents) {
      try (MappingIterator<JsonNode> each = YAML.readerFor(JsonNode.class).readValues(yaml)) {
        while (each.hasNext()) {
          add((ObjectNode) each.next());
        }
      } catch (IOException e) {
        throw new UncheckedIOException(yaml, e);
      }
    }
    return this;
  }

  private void add(ObjectNode object) {
    Kind kind = kind(object.path("kind").asText());
    ObjectNode meta = object.withObject("metadata");
    if (!kind.isClusterScoped() && !meta.has("namespace")) {
      meta.put("namespace", "default");
    }
    String id =
        kind.label() + "-" + meta.path("namespace").asText() + "-" + meta.path("name").asText();
    putIfAbsent(meta, "uid", "uid-" + id);
    putIfAbsent(meta, "creationTimestamp", "2026-02-01T00:00:00Z");
    if (!meta.has("generation")) {
      meta.put("generation", 1);
    }
    meta.put("resourceVersion", Long.toString(++resourceVersion));
    objects.put(ref(kind, object), object);
  }

  private static void putIfAbsent(ObjectNode node, String name, String value) {
    if (!node.has(name)) {
      node.put(name, value);
    }
  }

  static Kind kind(String label) {
    return Arrays.stream(Kind.values())
        .filter(kind -> kind.label().equals(label))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException(label));
  }

  private static ObjectRef ref(Kind kind, JsonNode object) {
    JsonNode meta = object.path("metadata");
    return new ObjectRef(kind, meta.path("namespace").asText(), meta.path("name").asText());
  }

  World remove(Kind kind, String namespace, String name) {
    if (objects.remove(new ObjectRef(kind, namespace, name)) == null) {
      throw new IllegalArgumentException(kind + " " + name + " is not there");
    }
    return this;
  }

  World kindIs(Kind kind, Availability availability) {
    kinds.put(kind, availability);
    if (!(availability instanceof Availability.Served)) {
      objects.keySet().removeIf(ref -> ref.kind() == kind);
    }
    return this;
  }

  World granted(String tunnelId, String endpoint) {
    grants.put(tunnelId, new Grant.Granted(HostPort.parse(endpoint).orElseThrow()));
    return this;
  }

  World refused(String tunnelId, Grant.Cause cause, String message) {
    grants.put(tunnelId, new Grant.Refused(cause, message));
    return this;
  }

  World nothingGranted() {
    grants.clear();
    return this;
  }

  World link(GatewayLink.State state, Instant since) {
    link = new GatewayLink(state, since);
    return this;
  }

  World at(Instant time) {
    now = time;
    return this;
  }

  World later(long seconds) {
    now = now.plusSeconds(seconds);
    return this;
  }

  Instant now() {
    return now;
  }

  DiscoveryOptions options() {
    return new DiscoveryOptions(
        "lab",
        label,
        label,
        new RoutingSettings(forced, dual),
        trust,
        grantPolicy,
        Dialling.ENDPOINTS,
        namespaces);
  }

  Discovered look() {
    return look(new ArrayList<>(objects.values()));
  }

  /// A look at the same objects in another order.
  Discovered lookShuffled(RandomGenerator random) {
    var shuffled = new ArrayList<>(objects.values());
    Collections.shuffle(shuffled, new Random(random.nextLong()));
    return look(shuffled);
  }

  private Discovered look(List<ObjectNode> all) {
    return new Discovery(options()).look(view(all), gatewayState(), now);
  }

  GatewayState gatewayState() {
    return new GatewayState(link, grants);
  }

  ClusterView view() {
    return view(new ArrayList<>(objects.values()));
  }

  private ClusterView view(List<ObjectNode> all) {
    var good = new ArrayList<KubernetesObject>();
    var unreadable = new ArrayList<Read.Unreadable>();
    for (ObjectNode object : all) {
      switch (ObjectReader.read(kind(object.path("kind").asText()), reparsed(object))) {
        case Read.Good(var read) -> good.add(read);
        case Read.Unreadable bad -> unreadable.add(bad);
      }
    }
    return new ClusterView(kinds, good, unreadable);
  }

  /// As it comes from a server: numbers have the types that a parser gives them.
  private static JsonNode reparsed(JsonNode object) {
    try {
      return JSON.readTree(object.toString());
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Looks and stores what is to be written, as an API server would.
  Discovered reconcile() {
    Discovered found = look();
    found
        .statuses()
        .forEach(write -> {
          ObjectNode object = stored(write.ref(), write.resourceVersion());
          object.set("status", write.status().tree());
        });
    found
        .finalizers()
        .forEach(write -> {
          ArrayNode list = stored(write.ref(), null).withObject("metadata").putArray("finalizers");
          write.finalizers().forEach(list::add);
        });
    for (EndpointWrite write : found.endpoints()) {
      switch (write) {
        case EndpointWrite.Create(_, var object) -> add((ObjectNode) object.tree());
        case EndpointWrite.Replace(var ref, var version, var object) -> {
          ObjectNode before = stored(ref, version);
          ObjectNode replaced = (ObjectNode) object.tree();
          replaced.set("status", before.path("status"));
          add(replaced);
        }
        case EndpointWrite.Status(var ref, var version, var status) ->
            stored(ref, version).set("status", status.tree());
        case EndpointWrite.Delete(var ref, _) -> objects.remove(ref);
      }
    }
    return found;
  }

  private ObjectNode stored(ObjectRef ref, @Nullable String version) {
    ObjectNode object = objects.get(ref);
    if (object == null) {
      throw new AssertionError(ref + " is not there");
    }
    ObjectNode meta = object.withObject("metadata");
    if (version != null && !meta.path("resourceVersion").asText().equals(version)) {
      throw new AssertionError(ref + " was written over " + version);
    }
    meta.put("resourceVersion", Long.toString(++resourceVersion));
    return object;
  }

  /// Reconciles until nothing is to be written, at most a few times.
  World settle() {
    for (int i = 0; i < 4; i++) {
      Discovered found = reconcile();
      if (isQuiet(found)) {
        return this;
      }
    }
    throw new AssertionError("never settles: " + look());
  }

  static boolean isQuiet(Discovered found) {
    return found.statuses().isEmpty()
        && found.finalizers().isEmpty()
        && found.endpoints().isEmpty();
  }

  /// A stored object.
  JsonNode get(Kind kind, String namespace, String name) {
    return Optional.<JsonNode>ofNullable(objects.get(new ObjectRef(kind, namespace, name)))
        .orElseThrow(() -> new AssertionError(kind + " " + name + " is not there"));
  }

  List<ObjectNode> all(Kind kind) {
    return objects.entrySet().stream()
        .filter(entry -> entry.getKey().kind() == kind)
        .map(Map.Entry::getValue)
        .toList();
  }

  /// One condition as `status/reason`, `none` when it is not there.
  static String condition(JsonNode conditions, String type) {
    for (JsonNode one : conditions) {
      if (one.path("type").asText().equals(type)) {
        return one.path("status").asText() + "/" + one.path("reason").asText();
      }
    }
    return "none";
  }

  String classCondition(String name, String type) {
    return condition(get(Kind.GATEWAY_CLASS, "", name).path("status").path("conditions"), type);
  }

  String gatewayCondition(String name, String type) {
    return condition(gatewayStatus(name).path("conditions"), type);
  }

  JsonNode gatewayStatus(String name) {
    return get(Kind.GATEWAY, "default", name).path("status");
  }

  JsonNode listener(String gateway, String name) {
    for (JsonNode one : gatewayStatus(gateway).path("listeners")) {
      if (one.path("name").asText().equals(name)) {
        return one;
      }
    }
    throw new AssertionError("no status of listener " + name);
  }

  String listenerCondition(String gateway, String name, String type) {
    return condition(listener(gateway, name).path("conditions"), type);
  }

  /// Of the route's first entry that is ours.
  String routeCondition(Kind kind, String namespace, String name, String type) {
    for (JsonNode parent : get(kind, namespace, name).path("status").path("parents")) {
      if (parent.path("controllerName").asText().equals(GatewayClass.OUR_CONTROLLER)) {
        return condition(parent.path("conditions"), type);
      }
    }
    return "no entry";
  }
}
