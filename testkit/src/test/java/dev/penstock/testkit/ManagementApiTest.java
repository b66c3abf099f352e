package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import dev.penstock.agent.Agent;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.agent.settings.Expose;
import dev.penstock.config.HostPort;
import dev.penstock.config.Outside;
import dev.penstock.gateway.Gateway;
import dev.penstock.gateway.GatewaySettings;
import dev.penstock.testkit.EchoService.Behaviour;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What a running gateway and a running agent answer is what their OpenAPI documents say, and
/// nothing that is sent to them makes them fail.
@Timeout(180)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class ManagementApiTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(20));
  private static final JsonSchemaFactory SCHEMAS =
      JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012);

  @TempDir private static Path directory;

  private static EchoService echo;
  private static Gateway gateway;
  private static Agent agent;
  private static HttpClient http;
  private static int gatewayProbes;
  private static int agentProbes;
  private static final Map<String, Integer> PORTS = new ConcurrentHashMap<>();

  @BeforeAll
  static void start() throws Exception {
    echo = EchoService.start(Behaviour.echo());
    http = HttpClient.newHttpClient();
    gatewayProbes = Ports.free();
    agentProbes = Ports.free();
    Path config =
        Files.writeString(
            directory.resolve("gateway.yaml"),
            """
            gateway:
              listen: 127.0.0.1:0
              data_dir: data
              auth:
                tokens:
                  - {token: agent, cluster: one}
                  - {token: other-agent, cluster: two}
            management:
              listen: 127.0.0.1:0
              probes: 127.0.0.1:%d
              tokens:
                - {name: ann, token: reads}
                - {name: bob, token: acts, role: operate}
            """
                .formatted(gatewayProbes));
    gateway = Gateway.start(GatewaySettings.load(config));
    var reachable = new CountDownLatch(2);
    agent =
        Agent.start(
            AgentSettings.of(
                Map.of(),
                List.of(
                    new Outside(
                        "pipeops.api_url",
                        "test",
                        "http://127.0.0.1:" + gateway.address().getPort()),
                    new Outside("pipeops.token", "test", "agent"),
                    new Outside("management.probes", "test", "127.0.0.1:" + agentProbes),
                    new Outside("management.listen", "test", "127.0.0.1:0")),
                List.of(expose("echo"), expose("other"))),
            new Agent.Announcements(
                line -> {
                  String[] words = line.split(" +", 4);
                  PORTS.put(
                      words[0], Integer.valueOf(words[2].substring(words[2].lastIndexOf(':') + 1)));
                  reachable.countDown();
                },
                why -> {}));
    assertThat(reachable.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
  }

  private static Expose expose(String name) {
    var target = HostPort.parse(echo.address()).orElseThrow();
    return new Expose(
        name, name.equals("echo") ? target : new HostPort("127.0.0.1", 1), OptionalInt.empty());
  }

  @AfterAll
  static void end() throws Exception {
    http.close();
    agent.close();
    gateway.close();
    echo.close();
  }

  /// One of the two programs.
  private record Node(String name, InetSocketAddress address, String token) {
    URI uri(String path) {
      return URI.create("http://127.0.0.1:" + address.getPort() + path);
    }

    HttpRequest.Builder request(String path) {
      var request = HttpRequest.newBuilder(uri(path)).timeout(PATIENCE);
      return token.isEmpty() ? request : request.header("Authorization", "Bearer " + token);
    }

    HttpResponse<String> get(String path) throws Exception {
      return http.send(request(path).build(), BodyHandlers.ofString());
    }

    JsonNode json(String path) throws Exception {
      HttpResponse<String> answer = get(path);
      assertThat(answer.statusCode()).as(path + ": " + answer.body()).isEqualTo(200);
      return JSON.readTree(answer.body());
    }

    HttpResponse<String> call(String method, String path, String body) throws Exception {
      return http.send(
          request(path)
              .header("Penstock-Action", "test")
              .header("Content-Type", "application/json")
              .method(
                  method, body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(body))
              .build(),
          BodyHandlers.ofString());
    }
  }

  private static Node node(String name) {
    return switch (name) {
      case "gateway" -> new Node(name, gateway.managementAddress(), "acts");
      case "agent" -> new Node(name, agent.managementAddress(), "");
      default -> throw new IllegalArgumentException(name);
    };
  }

  private static Node with(String token) {
    return new Node("gateway", gateway.managementAddress(), token);
  }

  private static Socket client() throws IOException {
    var socket = new Socket(InetAddress.getLoopbackAddress(), PORTS.get("echo"));
    socket.setSoTimeout((int) PATIENCE.toMillis());
    socket.getOutputStream().write(new byte[100]);
    assertThat(socket.getInputStream().readNBytes(100)).hasSize(100);
    return socket;
  }

  private static JsonSchema schema(JsonNode document, JsonNode schema) {
    var whole = JSON.createObjectNode();
    whole.set("components", document.get("components"));
    whole.setAll((ObjectNode) schema.deepCopy());
    return SCHEMAS.getSchema(whole);
  }

  private static void requireValid(
      JsonNode document, JsonNode operation, HttpResponse<String> answer, String call)
      throws Exception {
    JsonNode response = operation.path("responses").path(Integer.toString(answer.statusCode()));
    assertThat(response.isMissingNode()).as(call + ": " + answer.statusCode()).isFalse();
    if (response.has("$ref")) {
      response = document.at(response.get("$ref").asText().substring(1));
    }
    String type = answer.headers().firstValue("content-type").orElse("").replaceAll(";.*", "");
    JsonNode schema = response.path("content").path(type).path("schema");
    assertThat(schema.isMissingNode()).as(call + ": " + type).isFalse();
    if (!type.equals("application/yaml")) {
      assertThat(schema(document, schema).validate(JSON.readTree(answer.body())))
          .as(call + ": " + answer.body())
          .isEmpty();
    }
  }

  @ParameterizedTest
  @Order(1)
  @ValueSource(strings = {"gateway", "agent"})
  void everyPathAnswersWithWhatItsDocumentSays(String name) throws Exception {
    Node node = node(name);
    JsonNode document = node.json("/api/v1/openapi.json");
    try (Socket _ = client()) {
      var ids = new HashMap<String, String>();
      for (var path : document.get("paths").properties()) {
        JsonNode get = path.getValue().get("get");
        if (get == null) {
          continue;
        }
        String list = path.getKey().replaceAll("/\\{id}.*", "");
        String at = path.getKey().replace("{id}", ids.getOrDefault(list, "nobody"));
        HttpResponse<String> answer = node.get(at);
        requireValid(document, get, answer, at);
        assertThat(answer.statusCode())
            .as(at + ": " + answer.body())
            .isEqualTo(at.endsWith("nobody") ? 404 : 200);
        JsonNode items = JSON.readTree(answer.body().startsWith("{") ? answer.body() : "{}");
        if (!items.path("items").isEmpty()) {
          ids.put(path.getKey(), items.at("/items/0/id").asText());
        }
      }
      // That something was there to look at.
      assertThat(ids.keySet())
          .contains("/api/v1/streams", "/api/v1/links", "/api/v1/tunnels", "/api/v1/events");
    }
  }

  @Test
  @Order(2)
  void aStreamIsSeenWithItsBytesAndClosedAndTheClientIsReset() throws Exception {
    Node node = node("gateway");
    try (Socket client = client()) {
      JsonNode stream =
          await()
              .atMost(PATIENCE)
              .until(() -> own(client), it -> it.path("bytes_out").asLong() == 100);
      assertThat(stream.get("state").asText()).isEqualTo("open");
      assertThat(stream.get("bytes_in").asLong()).isEqualTo(100);
      String id = stream.get("id").asText();
      assertThat(node.call("POST", "/api/v1/streams/" + id + "/close", "").statusCode())
          .isEqualTo(200);
      assertThat(endOf(client)).isEqualTo("reset");
      await().atMost(PATIENCE).until(() -> own(client).isMissingNode());
      JsonNode entry = node.json("/api/v1/audit?subject=" + id).at("/items/0");
      assertThat(entry.get("who").asText()).isEqualTo("bob");
      assertThat(entry.get("from").asText()).isEqualTo("127.0.0.1");
      assertThat(entry.get("action").asText()).isEqualTo("close_stream");
      assertThat(entry.get("outcome").asText()).isEqualTo("done");
      assertThat(node.call("POST", "/api/v1/streams/" + id + "/close", "").statusCode())
          .isEqualTo(404);
    }
  }

  @Test
  @Order(3)
  void theAgentSeesTheSameStreamAndMayCloseItToo() throws Exception {
    Node node = node("agent");
    try (Socket client = client()) {
      String address = "127.0.0.1:" + client.getLocalPort();
      JsonNode stream =
          await()
              .atMost(PATIENCE)
              .until(
                  () -> node.json("/api/v1/streams?client_address=" + address).at("/items/0"),
                  it -> it.path("bytes_in").asLong() == 100);
      assertThat(stream.get("backend").asText()).isEqualTo(echo.address());
      String id = stream.get("id").asText();
      assertThat(node.call("POST", "/api/v1/streams/" + id + "/close", "").statusCode())
          .isEqualTo(200);
      assertThat(endOf(client)).isEqualTo("reset");
    }
  }

  @Test
  @Order(4)
  void aBannedSourceIsRefusedAndWhatItHasIsCutUntilTheBanIsLifted() throws Exception {
    Node node = node("gateway");
    try (Socket client = client()) {
      HttpResponse<String> made =
          node.call("POST", "/api/v1/bans", "{\"source\":\"127.0.0.0/8\",\"seconds\":600}");
      assertThat(made.statusCode()).as(made.body()).isEqualTo(201);
      assertThat(endOf(client)).isEqualTo("reset");
      try (Socket another = new Socket(InetAddress.getLoopbackAddress(), PORTS.get("echo"))) {
        another.setSoTimeout((int) PATIENCE.toMillis());
        assertThat(endOf(another)).isEqualTo("reset");
      }
    } finally {
      assertThat(node.call("DELETE", "/api/v1/bans/127.0.0.0-8", "").statusCode()).isEqualTo(200);
    }
    client().close();
    assertThat(node.json("/api/v1/summary").at("/refused_by_reason/source_banned").asLong())
        .isPositive();
    assertThat(node.json("/api/v1/tunnels?refused=%3E0").get("total").asLong()).isEqualTo(1);
  }

  @Test
  @Order(5)
  void aClosedLinkIsDialledAgain() throws Exception {
    Node node = node("gateway");
    JsonNode links = node.json("/api/v1/links").get("items");
    assertThat(links).hasSize(2);
    String id = links.get(0).get("id").asText();
    assertThat(node.call("POST", "/api/v1/links/" + id + "/close", "").statusCode()).isEqualTo(200);
    await()
        .atMost(PATIENCE)
        .until(() -> {
          JsonNode now = node.json("/api/v1/links");
          return now.get("total").asInt() == 2 && !now.toString().contains(id);
        });
    assertThat(node.json("/api/v1/events?kind=link_down&link_id=" + id).get("total").asInt())
        .isEqualTo(1);
    assertThat(node.json("/api/v1/agents").get("total").asInt()).isEqualTo(1);
  }

  @Test
  @Order(6)
  void aLeaseMayBeReservedAndReleased() throws Exception {
    Node node = node("gateway");
    String free = "/api/v1/leases/tcp-34999/reservation";
    assertThat(node.call("PUT", free, "{\"cluster\":\"one\"}").statusCode()).isEqualTo(200);
    JsonNode lease = node.json("/api/v1/leases/tcp-34999");
    assertThat(lease.get("state").asText()).isEqualTo("reserved");
    assertThat(lease.get("reserved_for").asText()).isEqualTo("one");
    assertThat(node.call("PUT", free, "{\"cluster\":\"two\"}").statusCode()).isEqualTo(409);
    assertThat(node.call("DELETE", free, "").statusCode()).isEqualTo(200);
    assertThat(node.get("/api/v1/leases/tcp-34999").statusCode()).isEqualTo(404);
    String held = "/api/v1/leases/tcp-" + PORTS.get("other");
    assertThat(node.call("POST", held + "/release", "").statusCode()).isEqualTo(200);
    assertThat(node.get(held).statusCode()).isEqualTo(404);
  }

  @Test
  @Order(7)
  void whatHasNotChangedIsNotToldAgain() throws Exception {
    Node node = node("gateway");
    HttpResponse<String> first = node.get("/api/v1/leases");
    String etag = first.headers().firstValue("etag").orElseThrow();
    HttpResponse<String> again =
        http.send(
            node.request("/api/v1/leases").header("If-None-Match", "\"x\", " + etag).build(),
            BodyHandlers.ofString());
    assertThat(again.statusCode()).isEqualTo(304);
    assertThat(again.body()).isEmpty();
  }

  @Test
  @Order(8)
  void aWatchTellsThePageAndThenWhatChanges() throws Exception {
    Node node = node("gateway");
    HttpResponse<InputStream> watch =
        http.send(node.request("/api/v1/streams?watch=true").build(), BodyHandlers.ofInputStream());
    assertThat(watch.headers().firstValue("content-type")).hasValue("text/event-stream");
    try (InputStream events = watch.body()) {
      assertThat(event(events)).startsWith("page {\"items\":[");
      try (Socket client = client()) {
        String change = event(events);
        assertThat(change)
            .startsWith("change {\"changed\":[{")
            .contains("\"127.0.0.1:" + client.getLocalPort() + "\"");
      }
      String removed = event(events);
      while (!removed.contains("\"removed\":[\"")) {
        removed = event(events);
      }
    }
  }

  /// Long before a heartbeat would fail, which comes after 15 s and fails the second time.
  @ParameterizedTest
  @Order(8)
  @ValueSource(booleans = {true, false})
  void aWatchIsNotCountedAnyMoreOnceItsReaderHasGone(boolean halfClosed) throws Exception {
    Node node = node("gateway");
    await().atMost(PATIENCE).until(() -> watches(node) == 0);
    try (Socket reader = deafWatcher(node)) {
      reader.setSoTimeout((int) PATIENCE.toMillis());
      await().atMost(PATIENCE).until(() -> watches(node) == 1);
      assertThat(event(reader.getInputStream())).startsWith("page ");
      if (halfClosed) {
        reader.shutdownOutput();
        reader.getInputStream().readAllBytes();
      }
    }
    await().atMost(Limits.time(Duration.ofSeconds(5))).until(() -> watches(node) == 0);
  }

  /// As many as there may be, all but one of which never read a byte.
  @Test
  @Order(8)
  void aThousandWatchersThatDoNotReadTakeLittleMemoryAndOneMoreIsRefused() throws Exception {
    Node node = node("gateway");
    long before = usedHeap();
    double refused = tooManyWatches();
    var deaf = new ArrayList<Socket>();
    try {
      HttpResponse<InputStream> watch =
          http.send(
              node.request("/api/v1/streams?watch=true").build(), BodyHandlers.ofInputStream());
      try (InputStream events = watch.body()) {
        for (int i = 0; i < 999; i++) {
          deaf.add(deafWatcher(node));
        }
        await().atMost(PATIENCE).until(() -> watches(node) == 1_000);
        HttpResponse<String> oneMore = node.get("/api/v1/streams?watch=true");
        assertThat(oneMore.statusCode()).as(oneMore.body()).isEqualTo(503);
        assertThat(oneMore.headers().firstValue("content-type"))
            .hasValue("application/problem+json");
        assertThat(oneMore.headers().firstValueAsLong("retry-after")).isPresent();
        assertThat(tooManyWatches()).isEqualTo(refused + 1);
        // Who reads hears of every change, whatever the others do.
        assertThat(event(events)).startsWith("page ");
        for (int change = 0; change < 3; change++) {
          try (Socket client = client()) {
            String address = "\"127.0.0.1:" + client.getLocalPort() + "\"";
            await().atMost(PATIENCE).until(() -> event(events).contains(address));
          }
        }
        assertThat(node.get("/api/v1/streams?limit=1").statusCode()).isEqualTo(200);
        long grown = usedHeap() - before;
        System.out.println("1,000 watchers: " + grown / 1_000 + " kB of heap");
        assertThat(grown).isLessThan(100L << 20);
      }
    } finally {
      for (Socket socket : deaf) {
        socket.close();
      }
    }
    await().atMost(PATIENCE).until(() -> watches(node) == 0);
    HttpResponse<InputStream> again =
        http.send(node.request("/api/v1/streams?watch=true").build(), BodyHandlers.ofInputStream());
    assertThat(again.statusCode()).isEqualTo(200);
    again.body().close();
  }

  private static Socket deafWatcher(Node node) throws IOException {
    var socket = new Socket();
    socket.setReceiveBufferSize(4096);
    socket.connect(
        new InetSocketAddress(InetAddress.getLoopbackAddress(), node.address().getPort()));
    socket
        .getOutputStream()
        .write(
            String.join(
                    "\r\n",
                    "GET /api/v1/streams?limit=500&watch=true HTTP/1.1",
                    "Host: localhost",
                    "Authorization: Bearer reads",
                    "",
                    "")
                .getBytes(StandardCharsets.US_ASCII));
    return socket;
  }

  private static int watches(Node node) throws Exception {
    return node.json("/api/v1/nodes").at("/items/0/watchers").asInt();
  }

  private static double tooManyWatches() throws Exception {
    return with("")
        .get("/metrics")
        .body()
        .lines()
        .filter(line -> line.startsWith("penstock_management_refused_total{reason=\"too_many"))
        .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
        .sum();
  }

  private static long usedHeap() {
    System.gc();
    return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
  }

  private static String event(InputStream events) throws IOException {
    var lines = new StringBuilder();
    while (lines.indexOf("\n\n") < 0 || lines.toString().startsWith(":")) {
      if (lines.indexOf("\n\n") >= 0) {
        lines.setLength(0);
      }
      int next = events.read();
      assertThat(next).isNotNegative();
      lines.append((char) next);
    }
    return lines.toString().replaceAll("(?s).*event: (\\w+)\ndata: (.*)\n\n", "$1 $2");
  }

  @ParameterizedTest
  @Order(9)
  @ValueSource(strings = {"gateway", "agent"})
  void levelsOfLoggersAreChangedAsTheDocumentSays(String name) throws Exception {
    Node node = node(name);
    JsonNode document = node.json("/api/v1/openapi.json");
    JsonNode one = document.path("paths").path("/loggers/{name}");
    String at = "/loggers/dev.penstock.management";
    HttpResponse<String> changed = node.call("PUT", at + "?level=debug&for=1m", "");
    assertThat(changed.statusCode()).as(changed.body()).isEqualTo(200);
    requireValid(document, one.path("put"), changed, at);
    HttpResponse<String> all = node.get("/loggers");
    requireValid(document, document.at("/paths/~1loggers/get"), all, "/loggers");
    assertThat(all.body()).contains("\"dev.penstock.management\"");
    requireValid(document, one.path("put"), node.call("PUT", at + "?level=loud", ""), at);
    requireValid(
        document, one.path("put"), node.call("PUT", "/loggers/no.such?level=info", ""), "no.such");
    assertThat(node.call("DELETE", at, "").statusCode()).isEqualTo(204);
    assertThat(one.at("/delete/responses").has("204")).isTrue();
    assertThat(node.get("/loggers").body()).doesNotContain("dev.penstock.management");
  }

  @ParameterizedTest
  @Order(9)
  @CsvSource({
    "'',    GET,  /api/v1/streams,           401",
    "wrong, GET,  /api/v1/streams,           401",
    "reads, GET,  /api/v1/streams,           200",
    "reads, GET,  /api/v1/audit,             200",
    "agent, GET,  /api/v1/streams,           401",
    "agent, GET,  /reservations,             401",
    "agent, POST, /api/v1/streams/x/close,   401",
    "other-agent, GET, /api/v1/tunnels,      401",
    "other-agent, GET, /loggers,             401",
    "reads, POST, /api/v1/streams/x/close,   403",
    "reads, POST, /api/v1/nodes/local/drain, 403",
    "reads, POST, /api/v1/bans,              403",
    "reads, DELETE, /api/v1/bans/x,          403",
    "reads, PUT,  /api/v1/leases/tcp-1/reservation, 403",
    "reads, POST, /drain,                    403",
    "'',    POST, /drain,                    401",
    "'',    GET,  /reservations,             401",
    "reads, GET,  /reservations,             200",
    "'',    GET,  /healthz,                  200",
    "'',    GET,  /readyz,                   200",
    "'',    GET,  /metrics,                  200",
    "'',    GET,  /api/v1/openapi.json,      200",
    "'',    POST, /api/v1/openapi.json,      401",
    "acts,  POST, /api/v1/streams/x/close,   404",
    "acts,  PATCH, /api/v1/streams,          405",
    "acts,  POST, /api/v1/streams,           405",
  })
  void rolesMayDoWhatTheyAreForAndNothingElse(String token, String method, String path, int status)
      throws Exception {
    HttpResponse<String> answer = with(token).call(method, path, "");
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(status);
    if (status >= 400) {
      assertThat(answer.headers().firstValue("content-type")).hasValue("application/problem+json");
    }
  }

  @Test
  @Order(9)
  void probesShowHealthAndMetricsAndNothingElse() throws Exception {
    for (int port : new int[] {gatewayProbes, agentProbes}) {
      var probes =
          new Node("probes", new InetSocketAddress(InetAddress.getLoopbackAddress(), port), "acts");
      for (String path : List.of("/healthz", "/readyz", "/metrics")) {
        assertThat(probes.get(path).statusCode()).as(path).isEqualTo(200);
      }
      for (String path : List.of("/api/v1/status", "/api/v1/openapi.json", "/reservations")) {
        assertThat(probes.get(path).statusCode()).as(path).isEqualTo(404);
      }
      assertThat(probes.call("POST", "/drain", "").statusCode()).isEqualTo(404);
    }
  }

  /// A tenant sees nothing of another at the port for agents, and what everybody sees at the
  /// management port names none.
  @Test
  @Order(9)
  void nothingOfATenantIsToldToAnother() throws Exception {
    var agents =
        new Node("agents", new InetSocketAddress(gateway.address().getPort()), "other-agent");
    assertThat(node("gateway").get("/api/v1/tunnels").body()).contains("tcp-one-echo");
    HttpResponse<String> own = agents.get("/api/v1/clusters/agent/two/tunnels");
    assertThat(own.statusCode()).isEqualTo(200);
    assertThat(own.body()).doesNotContain("echo", "one");
    for (String path :
        List.of(
            "/api/v1/clusters/agent/one/tunnels",
            "/api/v1/tunnels",
            "/api/v1/leases",
            "/api/v1/streams",
            "/reservations")) {
      HttpResponse<String> foreign = agents.get(path);
      assertThat(foreign.statusCode()).as(path).isIn(403, 404);
      assertThat(foreign.body()).as(path).doesNotContain("echo", "tcp-one");
    }
    int held = PORTS.get("echo");
    HttpResponse<String> conflict =
        agents.call(
            "POST",
            "/api/v1/clusters/agent/two/tunnels",
            """
            {"cluster_uuid":"two","protocol":"tcp","tunnel_id":"mine","gateway_name":"g",\
            "gateway_namespace":"ns","gateway_port":80,"service_name":"s","service_namespace":"ns",\
            "service_port":80,"routing_mode":"tunnel","tunnel_port":%d}\
            """
                .formatted(held));
    assertThat(conflict.statusCode()).as(conflict.body()).isEqualTo(409);
    assertThat(conflict.body()).doesNotContain("echo", "tcp-one", "\"one\"");
    for (String path : List.of("/", "/dashboard/", "/healthz", "/readyz", "/metrics")) {
      assertThat(with("").get(path).body()).as(path).doesNotContain("tcp-one", "127.0.0.1:" + held);
    }
  }

  @ParameterizedTest
  @Order(10)
  @ValueSource(
      strings = {
        "/api/v1/../metrics",
        "/api/v1/streams/..",
        "/api/v1/streams/%2e%2e%2fnodes",
        "/api/v1/streams%2Fx",
        "/api/v1/streams/x%2Fclose",
        "/api/v1//streams",
        "//api/v1/streams",
        "/api/v1/streams/",
        "/api/v1/streams/%7Bid%7D",
        "/api/v1/streams/x/close/y",
        "/api/v1/streams/%00",
        "/api/v1/streams/%E2%80%AE",
        "/api/v2/streams",
        "/api/v1/",
        "/api/",
      })
  void pathsAreTakenAsTheyAreWrittenAndNothingElseIsServed(String path) throws Exception {
    HttpResponse<String> answer = node("gateway").get(path);
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(404);
  }

  @Test
  @Order(11)
  void whatIsTooLongOrTooSlowIsRefused() throws Exception {
    Node node = node("gateway");
    assertThat(node.get("/api/v1/streams/" + "x".repeat(3000)).statusCode()).isEqualTo(404);
    assertThat(node.get("/api/v1/streams?q=" + "x".repeat(5000)).statusCode()).isEqualTo(414);
    String large = "{\"source\":\"" + "1".repeat(70_000) + "\"}";
    assertThat(node.call("POST", "/api/v1/bans", large).statusCode()).isEqualTo(413);
    try (var slow = new Socket(InetAddress.getLoopbackAddress(), node.address().getPort())) {
      slow.setSoTimeout((int) PATIENCE.toMillis());
      slow.getOutputStream()
          .write(
              ("POST /api/v1/bans HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer acts\r\n"
                      + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
                  .getBytes(StandardCharsets.US_ASCII));
      assertThat(new String(slow.getInputStream().readNBytes(12), StandardCharsets.US_ASCII))
          .isEqualTo("HTTP/1.1 408");
    }
    assertThat(node.call("POST", "/api/v1/bans", "[1]").statusCode()).isEqualTo(400);
    HttpResponse<String> form =
        http.send(
            node.request("/api/v1/bans")
                .header("Content-Type", "text/plain")
                .POST(BodyPublishers.ofString("{}"))
                .build(),
            BodyHandlers.ofString());
    assertThat(form.statusCode()).isEqualTo(415);
  }

  /// What never becomes a request, or one that cannot be understood, at paths of the document.
  @ParameterizedTest
  @Order(11)
  @CsvSource(
      quoteCharacter = '`',
      value = {
        "GET /loggers/%zz HTTP/1.1,                                 400",
        "PUT /loggers/root?level=%zz HTTP/1.1,                      400",
        "PUT /loggers/root?level=%ff&for=%c3 HTTP/1.1,              400",
        "PUT /loggers/root?level=info&level=debug&%=x HTTP/1.1,     400",
        "GET /api/v1/streams?q=%zz HTTP/1.1,                        400",
        "GET /api/v1/streams/%zz HTTP/1.1,                          400",
        "GET /api/v1/streams?limit=1&%=1 HTTP/1.1,                  400",
        "GET loggers HTTP/1.1,                                      404",
        "GET http://[::1/loggers HTTP/1.1,                          400",
        "GET /loggers HTTP/9.9,                                     505",
        "BREW /loggers HTTP/1.1,                                    501",
        "GET  /loggers HTTP/1.1,                                    505",
        "GET /loggers HTTP/1.1\\r\\nBroken header: x,                400",
        "GET /loggers HTTP/1.1\\r\\nContent-Length: x,               400",
        "PUT /loggers/root HTTP/1.1\\r\\nContent-Length: -1,         400",
        "PUT /loggers/root HTTP/1.1\\r\\nTransfer-Encoding: x,       400",
      })
  void whatIsHardlyHttpIsAnsweredWithAProblemToo(String head, int status) throws Exception {
    for (Node node : List.of(node("gateway"), node("agent"))) {
      try (var socket = new Socket(InetAddress.getLoopbackAddress(), node.address().getPort())) {
        socket.setSoTimeout((int) PATIENCE.toMillis());
        String request =
            head.replace("\\r\\n", "\r\n")
                + "\r\nHost: localhost\r\nAuthorization: Bearer "
                + node.token()
                + "\r\nConnection: close\r\n\r\n";
        socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
        String answer =
            new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
        assertThat(answer).startsWith("HTTP/1.1 " + status + " ");
        assertThat(answer).containsIgnoringCase("\r\nContent-Type: application/problem+json\r\n");
        JsonNode problem = JSON.readTree(answer.substring(answer.indexOf("\r\n\r\n") + 4));
        assertThat(problem.path("status").asInt()).isEqualTo(status);
        assertThat(problem.path("detail").asText()).isNotEmpty().hasSizeLessThan(1_000);
      }
    }
  }

  /// Every operation of the document, with parameters and bodies that are often what they should be
  /// and often not.
  @ParameterizedTest
  @Order(12)
  @ValueSource(strings = {"gateway", "agent"})
  void nothingThatIsSentMakesItFail(String name) throws Exception {
    Node node = node(name);
    JsonNode document = node.json("/api/v1/openapi.json");
    var operations = new ArrayList<Operation>();
    for (var path : document.get("paths").properties()) {
      for (var method : path.getValue().properties()) {
        if (method.getValue().has("operationId")
            && !method.getValue().get("operationId").asText().equals("drain_node")) {
          operations.add(
              new Operation(
                  path.getKey(), method.getKey().toUpperCase(Locale.ROOT), method.getValue()));
        }
      }
    }
    long seed = Long.getLong("penstock.seed", 20261122);
    var random = new Random(seed);
    for (int i = 0; i < 400; i++) {
      // Each of them, and then at random.
      Operation operation =
          operations.get(i < operations.size() ? i : random.nextInt(operations.size()));
      String id = Hostile.text(random);
      String call = operation.path().replaceAll("\\{\\w+}", Matcher.quoteReplacement(encoded(id)));
      var query = new StringBuilder();
      for (JsonNode parameter : operation.described().path("parameters")) {
        boolean required = parameter.path("required").asBoolean();
        if (parameter.path("in").asText().equals("query")
            && random.nextInt(6) < (required ? 4 : 1)) {
          query
              .append(query.isEmpty() ? "?" : "&")
              .append(parameter.path("name").asText())
              .append('=')
              .append(encoded(Hostile.value(parameter.path("schema"), random)));
        }
      }
      String at = call + query;
      String body =
          operation.method().equals("GET") || random.nextInt(4) == 0 ? "" : Hostile.body(random);
      long began = System.nanoTime();
      HttpResponse<String> answer = node.call(operation.method(), at, body);
      String what = "seed " + seed + ": " + operation.method() + " " + at + " " + body;
      assertThat(answer.statusCode()).as(what + " -> " + answer.body()).isLessThan(500);
      assertThat(Duration.ofNanos(System.nanoTime() - began))
          .as(what)
          .isLessThan(Limits.time(Duration.ofSeconds(5)));
      if (answer.statusCode() >= 400) {
        assertThat(answer.headers().firstValue("content-type"))
            .as(what)
            .hasValue("application/problem+json");
        JsonNode problem = JSON.readTree(answer.body());
        assertThat(problem.path("status").asInt()).as(what).isEqualTo(answer.statusCode());
        assertThat(problem.path("detail").asText()).as(what).hasSizeLessThan(1_000);
      }
      // A path without its name, or that leads up, is another one, whose methods are others.
      boolean elsewhere = answer.statusCode() == 405 && (id.isEmpty() || id.startsWith(".."));
      if (!answer.body().isEmpty() && !elsewhere) {
        requireValid(document, operation.described(), answer, what);
      }
    }
    assertThat(node.get("/api/v1/status").statusCode()).isEqualTo(200);
  }

  private record Operation(String path, String method, JsonNode described) {}

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }

  /// What nobody should send.
  private static final class Hostile {
    private static final List<String> TEXTS =
        List.of(
            "",
            "0",
            "-1",
            "1",
            "501",
            "9223372036854775808",
            "1e999",
            "NaN",
            "null",
            "true",
            "*",
            "**",
            ",",
            ">",
            ">=",
            "<x",
            "..",
            "../../etc/passwd",
            "%00",
            "\u0000",
            "\r\nX: y",
            "'\"<script>",
            "tcp-15432",
            "tcp-0",
            "udp-99999",
            "tcp-",
            "-",
            "127.0.0.1-33",
            "local",
            "id",
            "-id,-id,-id",
            "1970-01-01T00:00:00Z",
            ">2026-13-01T00:00:00Z",
            "\uD83D\uDE00",
            "\u202E",
            "W10",
            "a".repeat(300));

    private Hostile() {}

    static String text(Random random) {
      return TEXTS.get(random.nextInt(TEXTS.size()));
    }

    /// Often one that the document has.
    static String value(JsonNode schema, Random random) {
      JsonNode known = schema.path("enum");
      return known.isEmpty() || random.nextBoolean()
          ? text(random)
          : known.get(random.nextInt(known.size())).asText();
    }

    /// Never a ban that would hold, lest the test shuts itself out.
    static String body(Random random) throws IOException {
      var body = JSON.createObjectNode();
      for (String field : List.of("source", "seconds", "reason", "cluster", text(random))) {
        switch (random.nextInt(7)) {
          case 0 -> body.put(field, text(random));
          case 1 -> body.put(field, random.nextLong());
          case 2 -> body.putArray(field).add(text(random));
          case 3 -> body.putNull(field);
          case 4 -> body.put(field, field.equals("source") ? "192.0.2.0/24" : "x");
          case 5 -> body.putObject(field).put(text(random), true);
          default -> {
            // Left out.
          }
        }
      }
      String text = JSON.writeValueAsString(body);
      return switch (random.nextInt(6)) {
        case 0 -> text.substring(0, random.nextInt(text.length()));
        case 1 -> "[".repeat(2_000);
        case 2 -> text.replace('"', '\'');
        default -> text;
      };
    }
  }

  private static JsonNode own(Socket client) throws Exception {
    return node("gateway")
        .json("/api/v1/streams?client_address=127.0.0.1:" + client.getLocalPort())
        .at("/items/0");
  }

  private static String endOf(Socket client) throws IOException {
    try {
      return client.getInputStream().read() < 0 ? "end" : "bytes";
    } catch (SocketException reset) {
      return "reset";
    }
  }
}
