package dev.penstock.management.api;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.penstock.management.access.Caller;
import dev.penstock.management.api.Query.Page;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.apache.pekko.NotUsed;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.http.javadsl.model.AttributeKey;
import org.apache.pekko.http.javadsl.model.ContentType;
import org.apache.pekko.http.javadsl.model.ContentTypes;
import org.apache.pekko.http.javadsl.model.HttpEntities;
import org.apache.pekko.http.javadsl.model.HttpHeader;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.MediaTypes;
import org.apache.pekko.http.javadsl.model.StatusCodes;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;
import org.apache.pekko.japi.Pair;
import org.apache.pekko.stream.SystemMaterializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Serves what an OpenAPI document describes: its paths are the routes, its schemas the columns of
/// the lists, and nothing is served below [#PREFIX] that is not in it. Who may call was decided
/// before. Safe for use by several threads.
///
/// An `operationId` says what an operation is: `list_x` and `get_y` of the same path are a
/// [Listing], `get_status` and such a page, everything that is no GET an [Action].
public final class Api {
  /// Bytes of the longest body.
  public static final int MAX_BODY = 64 * 1024;

  /// What every path begins with.
  public static final String PREFIX = "/api/v1/";

  /// An attribute of requests: completes when nobody is there any more who could be told anything.
  public static final AttributeKey<CompletionStage<NotUsed>> GONE =
      AttributeKey.create("gone", stageClass());

  private static final Logger log = LoggerFactory.getLogger(Api.class);
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern ID = Pattern.compile("[A-Za-z0-9._:~-]{1,200}");
  private static final ContentType EVENTS = MediaTypes.TEXT_EVENT_STREAM.toContentType();
  private static final ContentType YAML = ContentTypes.parse("application/yaml; charset=UTF-8");
  private static final Duration BODY_TIMEOUT = Duration.ofSeconds(5);
  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(15);
  private static final Duration LATER = Duration.ofSeconds(5);

  private final ActorSystem<?> system;
  private final AuditLog audit;
  private final ApiMeters meters;
  private final Watches watches;
  private final byte[] yaml;
  private final byte[] json;
  private final Map<String, Map<String, Operation>> operations = new HashMap<>();
  private final Map<String, Listing> listings = new HashMap<>();
  private final Set<String> described = new HashSet<>();

  /// What a node serves.
  ///
  /// @param document in YAML, closed by whoever reads it
  /// @param lists by their names in paths, such as `streams`; given their tables
  /// @param pages by their names in paths, such as `summary`; `time` is added
  /// @param actions by their operation ids, such as `close_stream`
  public record Content(
      Supplier<InputStream> document,
      Map<String, Function<Table, Listing>> lists,
      Map<String, Function<Caller, CompletionStage<ObjectNode>>> pages,
      Map<String, Action> actions) {
    public Content {
      lists = Map.copyOf(lists);
      pages = Map.copyOf(pages);
      actions = Map.copyOf(actions);
    }
  }

  /// One call.
  private record Call(HttpRequest request, String id, Caller caller, String from) {}

  private interface Operation {
    CompletionStage<HttpResponse> answer(Call call);
  }

  /// @throws IllegalArgumentException the content is not what the document describes
  public Api(ActorSystem<?> system, Content content, AuditLog audit, ApiMeters meters) {
    this(system, content, audit, meters, Watches.Limits.defaults());
  }

  Api(
      ActorSystem<?> system,
      Content content,
      AuditLog audit,
      ApiMeters meters,
      Watches.Limits limits) {
    this.system = system;
    this.audit = audit;
    this.meters = meters;
    this.watches = new Watches(system, meters, limits);
    this.yaml = read(content.document());
    JsonNode document;
    try {
      document = new YAMLMapper().readTree(yaml);
      this.json = JSON.writeValueAsBytes(document);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    document
        .get("paths")
        .properties()
        .forEach(path -> route(document, content, path.getKey(), path.getValue()));
    requireAllUsed(content);
  }

  private static byte[] read(Supplier<InputStream> document) {
    try (InputStream in = document.get()) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The watches that run now.
  public int watching() {
    return watches.running();
  }

  /// Class literals have no type arguments.
  @SuppressWarnings("unchecked")
  private static Class<CompletionStage<NotUsed>> stageClass() {
    return (Class<CompletionStage<NotUsed>>) (Class<?>) CompletionStage.class;
  }

  // --- routes ---

  private void route(JsonNode document, Content content, String path, JsonNode item) {
    if (!path.startsWith(PREFIX)) {
      // Described for its callers; the management port serves it by itself.
      return;
    }
    var methods = new TreeMap<String, Operation>();
    for (var entry : item.properties()) {
      String operationId = entry.getValue().path("operationId").asText();
      if (!operationId.isEmpty()) {
        described.add(operationId);
        methods.put(
            entry.getKey().toUpperCase(Locale.ROOT),
            operation(document, content, path, operationId, entry.getValue()));
      }
    }
    operations.put(path, methods);
  }

  private Operation operation(
      JsonNode document, Content content, String path, String operationId, JsonNode described) {
    if (operationId.equals("get_openapi_json")) {
      return call -> done(document(call, ContentTypes.APPLICATION_JSON, json));
    } else if (operationId.equals("get_openapi_yaml")) {
      return call -> done(document(call, YAML, yaml));
    }
    Action action = content.actions().get(operationId);
    if (action != null) {
      int status = Integer.parseInt(described.get("responses").fieldNames().next());
      return call -> act(call, operationId, action, status);
    }
    String name = path.substring(PREFIX.length()).replaceAll("/.*", "");
    var page = content.pages().get(name);
    if (page != null) {
      return call -> page(call, page);
    }
    var lists = content.lists().get(name);
    if (lists == null) {
      throw new IllegalArgumentException(operationId + ": nobody does it");
    }
    Table table = Table.of(rowSchema(document, document.at("/paths").get(PREFIX + name)));
    Listing listing = listing(name, lists, table);
    if (path.endsWith("/{id}")) {
      return call -> find(call, listing);
    }
    String sort = sort(described);
    return call -> list(call, table, sort, listing);
  }

  private Listing listing(String name, Function<Table, Listing> made, Table table) {
    return listings.computeIfAbsent(name, _ -> made.apply(table));
  }

  private static String sort(JsonNode described) {
    for (JsonNode parameter : described.path("parameters")) {
      if (parameter.path("name").asText().equals("sort")) {
        return parameter.at("/schema/default").asText();
      }
    }
    throw new IllegalArgumentException("a list without a sort");
  }

  private static JsonNode rowSchema(JsonNode document, JsonNode path) {
    JsonNode page = path.at("/get/responses/200/content/application~1json/schema");
    return resolve(document, resolve(document, page).at("/properties/items/items"));
  }

  private static JsonNode resolve(JsonNode document, JsonNode schema) {
    return document.at(schema.get("$ref").asText().substring(1));
  }

  private void requireAllUsed(Content content) {
    content.lists().keySet().forEach(name -> requireRoute(PREFIX + name));
    content.pages().keySet().forEach(name -> requireRoute(PREFIX + name));
    if (!described.containsAll(content.actions().keySet())) {
      throw new IllegalArgumentException(
          "actions: " + content.actions().keySet() + " (expected: those of the document)");
    }
  }

  private void requireRoute(String path) {
    if (!operations.containsKey(path)) {
      throw new IllegalArgumentException(path + ": not in the document");
    }
  }

  /// Whether a path is one of the API's.
  public static boolean owns(String path) {
    return path.startsWith("/api/");
  }

  /// Whether everybody may see it: the document.
  public static boolean isPublic(String path) {
    return path.equals(PREFIX + "openapi.json") || path.equals(PREFIX + "openapi.yaml");
  }

  /// Answers a call of somebody who may make it. The body is read or dropped.
  ///
  /// @param from the address that asked
  public CompletionStage<HttpResponse> answer(HttpRequest request, Caller caller, String from) {
    CompletionStage<HttpResponse> answer;
    try {
      answer = dispatch(request, caller, from);
    } catch (RuntimeException e) {
      answer = CompletableFuture.failedFuture(e);
    }
    return answer
        .exceptionally(failed -> problem(request, failed))
        .thenApply(response -> {
          meters.answered(response.status().intValue());
          return response;
        });
  }

  private CompletionStage<HttpResponse> dispatch(HttpRequest request, Caller caller, String from) {
    String path = request.getUri().path();
    String id = "";
    Map<String, Operation> methods = path.contains("{") ? null : operations.get(path);
    if (methods == null) {
      String[] parts = path.substring(1).split("/", -1);
      // api/v1/streams/{id} and what may follow it.
      if (parts.length >= 4 && parts.length <= 5 && ID.matcher(parts[3]).matches()) {
        id = parts[3];
        parts[3] = "{id}";
        methods = operations.get("/" + String.join("/", parts));
      }
    }
    if (methods == null) {
      drop(request);
      throw new ApiProblem(404, "no such path (expected: one of " + PREFIX + "openapi.json)");
    }
    Operation operation = methods.get(request.method().name());
    if (operation == null) {
      drop(request);
      var allowed = String.join(", ", methods.keySet());
      return done(
          Problems.response(
                  405, request.method().name() + ": not allowed (expected: " + allowed + ")")
              .addHeader(RawHeader.create("Allow", allowed)));
    }
    return operation.answer(new Call(request, id, caller, from));
  }

  private void drop(HttpRequest request) {
    var _ = Bodies.drop(request, BODY_TIMEOUT, system);
  }

  // --- what is told ---

  private HttpResponse document(Call call, ContentType type, byte[] body) {
    String etag = etag(body);
    return isKnown(call.request(), etag)
        ? notModified(etag)
        : tagged(HttpResponse.create().withEntity(HttpEntities.create(type, body)), etag);
  }

  private CompletionStage<HttpResponse> page(
      Call call, Function<Caller, CompletionStage<ObjectNode>> page) {
    Map<String, String> parameters = parameters(call.request());
    boolean watched = watched(call.request(), parameters);
    if (!parameters.isEmpty()) {
      throw ApiProblem.parameter("parameter", parameters.keySet().iterator().next(), "watch");
    }
    Supplier<CompletionStage<ObjectNode>> look =
        () -> page.apply(call.caller()).thenApply(Api::dated);
    String key = call.request().getUri().path() + " " + call.caller();
    return limited(look.get())
        .thenApply(
            answer -> watched ? watch(call, key, answer, look) : json(call.request(), answer));
  }

  private CompletionStage<HttpResponse> list(Call call, Table table, String sort, Listing listing) {
    Map<String, String> parameters = parameters(call.request());
    boolean watched = watched(call.request(), parameters);
    Query query = Query.of(table, sort, parameters);
    Supplier<CompletionStage<ObjectNode>> look =
        () -> listing.page(query).thenApply(page -> json(query, page));
    String key = call.request().getUri().path() + " " + query.parameters();
    return limited(look.get())
        .thenApply(
            answer -> watched ? watch(call, key, answer, look) : json(call.request(), answer));
  }

  private CompletionStage<HttpResponse> find(Call call, Listing listing) {
    return limited(listing.find(call.id()))
        .thenApply(row ->
            row.map(it -> json(call.request(), it.json()))
                .orElseThrow(() -> new ApiProblem(404, call.id() + ": no such id")));
  }

  private static ObjectNode json(Query query, Page page) {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    ArrayNode items = json.putArray("items");
    page.rows().forEach(row -> items.add(row.json()));
    json.put("total", page.total());
    boolean more = page.left() > page.rows().size() && !page.rows().isEmpty();
    json.put("next_cursor", more ? query.cursorAfter(page.rows().getLast()) : null);
    ArrayNode unanswered = json.putArray("unanswered");
    page.unanswered().forEach(unanswered::add);
    return dated(json);
  }

  private static ObjectNode dated(ObjectNode json) {
    return json.put("time", Instant.now().toString());
  }

  private HttpResponse watch(
      Call call, String key, ObjectNode first, Supplier<CompletionStage<ObjectNode>> look) {
    CompletionStage<NotUsed> gone =
        call.request().getAttribute(GONE).orElseGet(CompletableFuture::new);
    var events = watches.watch(key, first, look, gone);
    if (events == null) {
      throw new ApiProblem(503, "too many watches run (expected: fewer)", LATER);
    }
    return HttpResponse.create()
        .addHeader(RawHeader.create("Cache-Control", "no-store"))
        .withEntity(HttpEntities.create(EVENTS, events));
  }

  private static Map<String, String> parameters(HttpRequest request) {
    var parameters = new LinkedHashMap<String, String>();
    for (Pair<String, String> parameter : request.getUri().query().toList()) {
      if (parameters.put(parameter.first(), parameter.second()) != null) {
        throw ApiProblem.parameter("parameter", parameter.first(), "each once");
      }
    }
    return parameters;
  }

  /// Takes the parameter out.
  private static boolean watched(HttpRequest request, Map<String, String> parameters) {
    String watch = parameters.remove("watch");
    if (watch == null) {
      return request
          .getHeader("Accept")
          .map(HttpHeader::value)
          .filter(accepted -> accepted.startsWith("text/event-stream"))
          .isPresent();
    }
    return switch (watch) {
      case "true", "" -> true;
      case "false" -> false;
      default -> throw ApiProblem.parameter("watch", watch, "true or false");
    };
  }

  private static HttpResponse json(HttpRequest request, ObjectNode body) {
    ObjectNode lasting = body;
    if ((body.has("time") && body.has("unanswered")) || body.has("caller")) {
      lasting = body.deepCopy();
      lasting.remove("time");
    }
    String etag = etag(lasting.toString().getBytes(StandardCharsets.UTF_8));
    return isKnown(request, etag)
        ? notModified(etag)
        : tagged(
            HttpResponse.create()
                .withEntity(HttpEntities.create(ContentTypes.APPLICATION_JSON, bytes(body))),
            etag);
  }

  private static byte[] bytes(ObjectNode body) {
    return (body + "\n").getBytes(StandardCharsets.UTF_8);
  }

  private static HttpResponse tagged(HttpResponse response, String etag) {
    return response
        .addHeader(RawHeader.create("ETag", etag))
        .addHeader(RawHeader.create("Cache-Control", "no-cache"));
  }

  private static HttpResponse notModified(String etag) {
    return tagged(HttpResponse.create().withStatus(StatusCodes.NOT_MODIFIED), etag);
  }

  private static boolean isKnown(HttpRequest request, String etag) {
    return request
        .getHeader("If-None-Match")
        .map(HttpHeader::value)
        .filter(known ->
            known.strip().equals("*")
                || List.of(known.split(",", -1)).stream().anyMatch(it -> it.strip().equals(etag)))
        .isPresent();
  }

  /// Weak, because the time of an answer is left out.
  private static String etag(byte[] body) {
    try {
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(body);
      return "W/\"" + HexFormat.of().formatHex(digest, 0, 8) + "\"";
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  // --- what is done ---

  private CompletionStage<HttpResponse> act(
      Call call, String operationId, Action action, int status) {
    return body(call.request())
        .thenCompose(body -> {
          CompletionStage<Action.Done> acted;
          try {
            acted = limited(action.act(new Action.Asked(call.id(), body, call.caller())));
          } catch (RuntimeException e) {
            acted = CompletableFuture.failedFuture(e);
          }
          return acted.handle((done, failed) -> {
            if (failed != null) {
              var problem = asProblem(failed).orElse(null);
              audit(call, operationId, false, problem == null ? "it failed" : problem.detail());
              throw new CompletionException(failed);
            }
            audit(
                new Call(call.request(), done.subject(), call.caller(), call.from()),
                operationId,
                true,
                done.detail());
            return HttpResponse.create()
                .withStatus(status)
                .withEntity(HttpEntities.create(ContentTypes.APPLICATION_JSON, bytes(done.body())));
          });
        });
  }

  private void audit(Call call, String operationId, boolean done, String detail) {
    meters.acted(done);
    audit.acted(call.caller(), call.from(), operationId, call.id(), done, detail);
  }

  private CompletionStage<JsonNode> body(HttpRequest request) {
    if (request.entity().isKnownEmpty()) {
      return CompletableFuture.completedFuture(JsonNodeFactory.instance.objectNode());
    }
    if (!request.entity().getContentType().mediaType().equals(MediaTypes.APPLICATION_JSON)) {
      drop(request);
      throw new ApiProblem(
          415,
          "Content-Type: "
              + request.entity().getContentType().mediaType()
              + " (expected: application/json)");
    }
    long length = request.entity().getContentLengthOption().orElse(0);
    if (length > MAX_BODY) {
      drop(request);
      throw tooLong();
    }
    return request
        .entity()
        .withSizeLimit(MAX_BODY)
        .toStrict(BODY_TIMEOUT.toMillis(), SystemMaterializer.get(system).materializer())
        .handle((entity, failed) -> {
          if (failed != null) {
            Throwable cause = failed.getCause() == null ? failed : failed.getCause();
            throw cause instanceof TimeoutException
                ? new ApiProblem(408, "the body did not come within 5 s (expected: all of it)")
                : tooLong();
          }
          return parsed(entity.getData().toArray());
        });
  }

  private static ApiProblem tooLong() {
    return new ApiProblem(413, "body: too long (expected: at most " + MAX_BODY + " bytes)");
  }

  private static JsonNode parsed(byte[] body) {
    try {
      JsonNode json = JSON.readTree(body);
      if (json != null && json.isObject()) {
        return json;
      }
    } catch (IOException _) {
      // Said below.
    }
    throw new ApiProblem(400, "body: none that can be read (expected: a JSON object)");
  }

  // --- problems ---

  private static <T> CompletionStage<T> limited(CompletionStage<T> answer) {
    return answer
        .toCompletableFuture()
        .copy()
        .orTimeout(ANSWER_TIMEOUT.toSeconds(), TimeUnit.SECONDS);
  }

  private static <T> CompletionStage<T> done(T value) {
    return CompletableFuture.completedFuture(value);
  }

  private static Optional<ApiProblem> asProblem(Throwable failed) {
    Throwable cause = failed;
    while (cause instanceof CompletionException && cause.getCause() != null) {
      cause = cause.getCause();
    }
    if (cause instanceof TimeoutException) {
      return Optional.of(new ApiProblem(503, "what must answer does not", LATER));
    }
    return cause instanceof ApiProblem problem ? Optional.of(problem) : Optional.empty();
  }

  private static HttpResponse problem(HttpRequest request, Throwable failed) {
    var known = asProblem(failed);
    if (known.isEmpty()) {
      log.atError()
          .addKeyValue("path", request.getUri().path())
          .setCause(failed)
          .log("a call to the management API failed");
      return Problems.response(500, "failed, the log says why");
    }
    ApiProblem problem = known.get();
    HttpResponse response = Problems.response(problem.status(), problem.detail());
    return problem.retryAfter().isZero()
        ? response
        : response.addHeader(
            RawHeader.create("Retry-After", Long.toString(problem.retryAfter().toSeconds())));
  }
}
