package dev.penstock.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.fabric8.mockwebserver.http.Dispatcher;
import io.fabric8.mockwebserver.http.MockResponse;
import io.fabric8.mockwebserver.http.RecordedRequest;
import io.fabric8.mockwebserver.http.Response;
import io.fabric8.mockwebserver.http.WebSocket;
import io.fabric8.mockwebserver.http.WebSocketListener;
import java.io.UncheckedIOException;
import java.net.URLDecoder;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Objects of a cluster in memory, answered for as an API server does: every change has a version,
/// a list says of which version it is, and a watch goes on from one as long as the changes since
/// are remembered. Fast with many thousands of objects. Any thread.
final class ObjectStore extends Dispatcher {
  /// How a watch is told that it cannot go on from its version.
  enum Gone {
    /// As the first message of the watch: the changes since are not remembered.
    EVENT,
    /// The same as the answer's status.
    STATUS,
    /// Not at all: the server waits in vain for a version that it never had, as after a restore
    /// from a backup.
    TIMEOUT
  }

  /// Changes that are remembered.
  private static final int REMEMBERED = 5_000;

  private static final int GOING_AWAY = 1001;
  private static final JsonMapper JSON = new JsonMapper();
  private static final Pattern SINCE = Pattern.compile("[?&]resourceVersion=(\\d+)");

  /// Tells the watches. A message is sent when the server's event loop has written it, and that may
  /// wait for the lock of this store: no thread that has the lock may send.
  private final ExecutorService telling =
      Executors.newSingleThreadExecutor(
          Thread.ofPlatform().daemon().name("watch-events").factory());

  private final Map<String, TreeMap<String, ObjectNode>> collections = new HashMap<>();
  private final Deque<Change> changes = new ArrayDeque<>();
  private final List<Watcher> watchers = new ArrayList<>();
  private long version = 1;

  /// The latest version whose change is not remembered any more.
  private long forgotten;

  private Gone gone = Gone.EVENT;

  /// What a path names.
  ///
  /// @param collection path of all objects of the kind
  /// @param namespace empty for all
  /// @param name empty for the collection
  private record Target(String collection, String namespace, String name, String subresource) {
    static Target of(String path) {
      String[] parts = path.replaceFirst("\\?.*", "").substring(1).split("/");
      int at = parts[0].equals("api") ? 2 : 3;
      String group = Stream.of(parts).limit(at).collect(Collectors.joining("/", "/", "/"));
      String namespace = "";
      if (parts.length > at + 2 && parts[at].equals("namespaces")) {
        namespace = parts[at + 1];
        at += 2;
      }
      return new Target(
          group + part(parts, at), namespace, part(parts, at + 1), part(parts, at + 2));
    }

    private static String part(String[] parts, int at) {
      return at < parts.length ? parts[at] : "";
    }

    String key() {
      return namespace + "/" + name;
    }
  }

  /// One change, as watches tell it.
  private record Change(long version, String collection, String namespace, String event) {}

  /// A request that is not fulfilled.
  private static final class Refusal extends Exception {
    private static final long serialVersionUID = 1L;
    private final int code;

    Refusal(int code) {
      this.code = code;
    }
  }

  // --- for tests ---

  /// Makes our own class of Gateways.
  void applyClass() {
    apply(
        """
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
         "metadata": {"name": "penstock"},
         "spec": {"controllerName": "penstock.dev/tunnel-gateway"}}\
        """);
  }

  /// Makes a Gateway of our class, `front` in the namespace `team`, with one TCP listener.
  void applyFront(int port) {
    apply(
        """
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
         "metadata": {"name": "front", "namespace": "team"},
         "spec": {"gatewayClassName": "penstock",
           "listeners": [{"name": "db", "port": %d, "protocol": "TCP"}]}}\
        """
            .formatted(port));
  }

  /// Has the route of `front`, `db` in the namespace `team`, lead to a service.
  void applyFrontRoute(String service) {
    apply(
        """
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "TCPRoute",
         "metadata": {"name": "db", "namespace": "team"},
         "spec": {"parentRefs": [{"name": "front"}],
           "rules": [{"backendRefs": [{"name": "%s", "port": 5432}]}]}}\
        """
            .formatted(service));
  }

  /// Makes an object, or changes it as its author does.
  ///
  /// @return where it is
  synchronized String apply(String json) {
    ObjectNode object = parse(json);
    String one = KubernetesApi.path(object) + "/" + object.path("metadata").path("name").asText();
    Target target = Target.of(one);
    try {
      if (find(target) == null) {
        create(target, object);
      } else {
        replace(target, object);
      }
    } catch (Refusal e) {
      throw new IllegalStateException(one + ": " + e.code, e);
    }
    return one;
  }

  /// An object by its path; missing when there is none.
  synchronized JsonNode get(String path) {
    ObjectNode object = find(Target.of(path));
    return object == null ? JsonNodeFactory.instance.missingNode() : object;
  }

  /// The objects of a collection, such as `/api/v1/services`.
  synchronized List<JsonNode> all(String collection) {
    return List.copyOf(collections.getOrDefault(collection, new TreeMap<>()).values());
  }

  /// Ends all watches; what `meanwhile` changes happens before they are back.
  synchronized void cutWatches(Runnable meanwhile) {
    List.copyOf(watchers).forEach(Watcher::cut);
    watchers.clear();
    meanwhile.run();
  }

  /// Watches can go on only from now.
  synchronized void forget(Gone how) {
    gone = how;
    // One version more, so that who has seen everything has not seen all, as in a busy cluster.
    version++;
    forgotten = version;
    changes.clear();
  }

  // --- answers ---

  @Override
  public MockResponse dispatch(RecordedRequest request) {
    Target target = Target.of(request.getPath());
    try {
      return switch (request.getMethod()) {
        case "GET" ->
            request.getPath().contains("watch=true")
                ? watch(target, request)
                : read(target, Page.of(request.getPath()));
        case "POST" -> {
          ObjectNode object = parse(request.getUtf8Body());
          String name = object.path("metadata").path("name").asText();
          var one = new Target(target.collection(), target.namespace(), name, "");
          yield answer(201, create(one, object));
        }
        case "PUT" -> answer(200, replace(target, parse(request.getUtf8Body())));
        case "PATCH" -> answer(200, merge(target, parse(request.getUtf8Body())));
        case "DELETE" -> answer(200, delete(target, request.getUtf8Body()));
        default -> throw new Refusal(405);
      };
    } catch (Refusal e) {
      return answer(e.code, failure(e.code));
    }
  }

  private static MockResponse answer(int code, JsonNode body) {
    return answer(code, body.toString());
  }

  private static MockResponse answer(int code, String body) {
    return new MockResponse()
        .setResponseCode(code)
        .setHeader("Content-Type", "application/json")
        .setBody(body);
  }

  private static ObjectNode failure(int code) {
    return JsonNodeFactory.instance
        .objectNode()
        .put("kind", "Status")
        .put("apiVersion", "v1")
        .put("status", "Failure")
        .put("code", code);
  }

  /// Which part of a list is asked for.
  ///
  /// @param version of the whole list; 0 for the latest
  /// @param after the key of the last object of the part before; empty for the first part
  private record Page(int limit, long version, String after) {
    private static final Pattern LIMIT = Pattern.compile("[?&]limit=([0-9]+)");
    private static final Pattern CONTINUE = Pattern.compile("[?&]continue=([0-9]+)_([^&]*)");

    static Page of(String path) {
      Matcher limit = LIMIT.matcher(path);
      Matcher from = CONTINUE.matcher(path);
      int most = limit.find() ? Integer.parseInt(limit.group(1)) : Integer.MAX_VALUE;
      return from.find()
          ? new Page(most, Long.parseLong(from.group(1)), URLDecoder.decode(from.group(2), UTF_8))
          : new Page(most, 0, "");
    }
  }

  private synchronized MockResponse read(Target target, Page page) throws Refusal {
    if (!target.name().isEmpty()) {
      return answer(200, existing(target));
    }
    // What changed since the first part is told by the watch that begins with its version.
    long listed = page.version() == 0 ? version : page.version();
    var rest =
        collections.getOrDefault(target.collection(), new TreeMap<>()).tailMap(page.after(), false);
    var items = new ArrayList<String>();
    String last = "";
    boolean isWhole = true;
    for (var one : rest.entrySet()) {
      if (target.namespace().isEmpty() || one.getKey().startsWith(target.namespace() + "/")) {
        isWhole = items.size() < page.limit();
        if (!isWhole) {
          break;
        }
        items.add(one.getValue().toString());
        last = one.getKey();
      }
    }
    return answer(
        200,
        "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\""
            + listed
            + (isWhole ? "" : "\",\"continue\":\"" + listed + "_" + last)
            + "\"},\"items\":["
            + String.join(",", items)
            + "]}");
  }

  private synchronized MockResponse watch(Target target, RecordedRequest request) throws Refusal {
    Matcher since = SINCE.matcher(request.getPath());
    long from = since.find() ? Long.parseLong(since.group(1)) : 0;
    if (from > 0 && from < forgotten) {
      return switch (gone) {
        case EVENT -> new MockResponse().withWebSocketUpgrade(new Expired());
        case STATUS -> throw new Refusal(410);
        case TIMEOUT -> throw new Refusal(504);
      };
    }
    return new MockResponse().withWebSocketUpgrade(new Watcher(target, from));
  }

  // --- objects ---

  private ObjectNode find(Target target) {
    return collections.getOrDefault(target.collection(), new TreeMap<>()).get(target.key());
  }

  private ObjectNode existing(Target target) throws Refusal {
    ObjectNode object = find(target);
    if (object == null) {
      throw new Refusal(404);
    }
    return object;
  }

  private synchronized ObjectNode create(Target target, ObjectNode object) throws Refusal {
    if (find(target) != null) {
      throw new Refusal(409);
    }
    ObjectNode next = object.deepCopy();
    next.remove("status");
    meta(next)
        .put("uid", UUID.randomUUID().toString())
        .put("generation", 1)
        .put("creationTimestamp", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    return commit("ADDED", target, next);
  }

  /// Writes the status alone, or all but the status.
  private synchronized ObjectNode replace(Target target, ObjectNode object) throws Refusal {
    ObjectNode before = existing(target);
    String base = object.path("metadata").path("resourceVersion").asText();
    if (!base.isEmpty() && !base.equals(meta(before).path("resourceVersion").asText())) {
      throw new Refusal(409);
    }
    boolean isStatus = target.subresource().equals("status");
    ObjectNode next = (isStatus ? before : object).deepCopy();
    copy("status", isStatus ? object : before, next);
    for (String field :
        List.of("uid", "creationTimestamp", "deletionTimestamp", "generation", "resourceVersion")) {
      copy(field, meta(before), meta(next));
    }
    if (next.equals(before)) {
      return before;
    }
    if (!next.path("spec").equals(before.path("spec"))) {
      meta(next).put("generation", meta(before).path("generation").asLong() + 1);
    }
    boolean isOver = meta(next).has("deletionTimestamp") && meta(next).path("finalizers").isEmpty();
    return commit(isOver ? "DELETED" : "MODIFIED", target, next);
  }

  private synchronized ObjectNode merge(Target target, ObjectNode patch) throws Refusal {
    ObjectNode merged = existing(target).deepCopy();
    merge(merged, patch);
    return replace(target, merged);
  }

  private static void merge(ObjectNode into, ObjectNode patch) {
    patch
        .properties()
        .forEach(field -> {
          if (field.getValue().isNull()) {
            into.remove(field.getKey());
          } else if (field.getValue() instanceof ObjectNode below
              && into.get(field.getKey()) instanceof ObjectNode known) {
            merge(known, below);
          } else {
            into.set(field.getKey(), field.getValue());
          }
        });
  }

  private synchronized ObjectNode delete(Target target, String options) throws Refusal {
    ObjectNode next = existing(target).deepCopy();
    if (options != null && !options.isEmpty()) {
      String uid = parse(options).path("preconditions").path("uid").asText();
      if (!uid.isEmpty() && !uid.equals(meta(next).path("uid").asText())) {
        throw new Refusal(409);
      }
    }
    if (meta(next).path("finalizers").isEmpty()) {
      return commit("DELETED", target, next);
    }
    meta(next).put("deletionTimestamp", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    return commit("MODIFIED", target, next);
  }

  private ObjectNode commit(String type, Target target, ObjectNode object) {
    version++;
    meta(object).put("resourceVersion", Long.toString(version));
    var collection = collections.computeIfAbsent(target.collection(), _ -> new TreeMap<>());
    if (type.equals("DELETED")) {
      collection.remove(target.key());
    } else {
      collection.put(target.key(), object);
    }
    var change = new Change(version, target.collection(), target.namespace(), event(type, object));
    changes.add(change);
    if (changes.size() > REMEMBERED) {
      forgotten = changes.remove().version();
    }
    List.copyOf(watchers).forEach(watcher -> watcher.tell(change));
    return object;
  }

  private static String event(String type, ObjectNode object) {
    return "{\"type\":\"" + type + "\",\"object\":" + object + "}";
  }

  private static ObjectNode meta(ObjectNode object) {
    return object.withObject("/metadata");
  }

  private static void copy(String field, ObjectNode from, ObjectNode to) {
    if (from.has(field)) {
      to.set(field, from.get(field));
    } else {
      to.remove(field);
    }
  }

  private static ObjectNode parse(String json) {
    try {
      return (ObjectNode) JSON.readTree(json);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// One watch.
  private final class Watcher extends WebSocketListener {
    private final Target target;
    private final long since;
    private WebSocket socket;

    Watcher(Target target, long since) {
      this.target = target;
      this.since = since;
    }

    @Override
    public void onOpen(WebSocket webSocket, Response response) {
      synchronized (ObjectStore.this) {
        socket = webSocket;
        if (since == 0) {
          collections
              .getOrDefault(target.collection(), new TreeMap<>())
              .forEach((key, object) ->
                  tell(
                      new Change(
                          version,
                          target.collection(),
                          key.replaceFirst("/.*", ""),
                          event("ADDED", object))));
        } else {
          changes.stream().filter(change -> change.version() > since).forEach(this::tell);
        }
        watchers.add(this);
      }
    }

    void tell(Change change) {
      if (change.collection().equals(target.collection())
          && (target.namespace().isEmpty() || change.namespace().equals(target.namespace()))) {
        telling.execute(() -> send(change.event()));
      }
    }

    private void send(String event) {
      try {
        socket.send(event);
      } catch (IllegalStateException _) {
        // It is over, which it will be told of: whoever watched goes on from an earlier change.
      }
    }

    void cut() {
      telling.execute(() -> socket.close(GOING_AWAY, "cut"));
    }

    @Override
    public void onClosing(WebSocket webSocket, int code, String reason) {
      webSocket.close(code, reason);
    }

    @Override
    public void onClosed(WebSocket webSocket, int code, String reason) {
      ended();
    }

    @Override
    public void onFailure(WebSocket webSocket, Throwable error, Response response) {
      ended();
    }

    private void ended() {
      synchronized (ObjectStore.this) {
        watchers.remove(this);
      }
    }
  }

  /// A watch from a version whose changes are forgotten.
  private static final class Expired extends WebSocketListener {
    @Override
    public void onOpen(WebSocket webSocket, Response response) {
      webSocket.send(event("ERROR", failure(410).put("reason", "Expired")));
    }

    @Override
    public void onClosing(WebSocket webSocket, int code, String reason) {
      webSocket.close(code, reason);
    }
  }
}
