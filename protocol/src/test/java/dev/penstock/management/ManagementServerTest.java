package dev.penstock.management;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.typesafe.config.ConfigFactory;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class ManagementServerTest {
  private static final InetSocketAddress ANY_PORT =
      new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
  private static ActorTestKit kit;

  private final PrometheusRegistry registry = new PrometheusRegistry();
  private final HttpClient client = HttpClient.newHttpClient();
  private volatile List<String> reasons = List.of();
  private ManagementServer server;

  @BeforeAll
  static void startSystem() {
    kit = ActorTestKit.create("management", ConfigFactory.load());
  }

  @AfterAll
  static void stopSystem() {
    kit.shutdownTestKit();
  }

  @BeforeEach
  void start() throws Exception {
    server = start(ANY_PORT, () -> reasons);
  }

  @AfterEach
  void stop() throws Exception {
    client.close();
    server.close(Duration.ofSeconds(5)).toCompletableFuture().get(10, TimeUnit.SECONDS);
  }

  @Test
  void aRunningProcessIsHealthy() throws Exception {
    HttpResponse<String> answer = send("GET", "/healthz");
    assertThat(answer.statusCode()).isEqualTo(200);
    assertThat(answer.body()).isEqualTo("ok\n");
    assertThat(answer.headers().firstValue("server")).isEmpty();
  }

  @Test
  void readinessNamesItsReasons() throws Exception {
    assertThat(send("GET", "/readyz").body()).isEqualTo("ready\n");
    reasons = List.of("no link", "no lease journal");
    HttpResponse<String> answer = send("GET", "/readyz?verbose");
    assertThat(answer.statusCode()).isEqualTo(503);
    assertThat(answer.body()).isEqualTo("no link\nno lease journal\n");
  }

  @Test
  void metricsAreInPrometheusTextUnlessOpenMetricsIsAskedFor() throws Exception {
    Counter.builder().name("penstock_events").help("Events.").register(registry).inc(3);
    HttpResponse<String> text = send("GET", "/metrics");
    assertThat(text.statusCode()).isEqualTo(200);
    assertThat(contentType(text)).startsWith("text/plain; version=0.0.4");
    assertThat(text.body()).contains("penstock_events_total 3.0").doesNotContain("# EOF");

    HttpResponse<String> open =
        send(
            "GET",
            "/metrics",
            "Accept",
            "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5");
    assertThat(contentType(open)).startsWith("application/openmetrics-text; version=1.0.0");
    assertThat(open.body()).contains("penstock_events_total 3.0").endsWith("# EOF\n");
  }

  @Test
  void aFormatThatWeDoNotHaveGetsText() throws Exception {
    HttpResponse<String> answer =
        send(
            "GET",
            "/metrics",
            "Accept",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited");
    assertThat(contentType(answer)).startsWith("text/plain");
  }

  @Test
  void theJvmIsAmongTheMetrics() throws Exception {
    JvmMeters.register(registry);
    for (int scrape = 0; scrape < 2; scrape++) {
      assertThat(send("GET", "/metrics").body())
          .contains(
              "jvm_memory_used_bytes{area=\"heap\"}",
              "jvm_buffer_pool_used_bytes{",
              "jvm_gc_collection_seconds_count{",
              "jvm_runtime_info{",
              "jvm_threads_current ",
              "process_cpu_seconds_total ");
    }
  }

  @Test
  void aHeadHasTheLengthAndNoBody() throws Exception {
    HttpResponse<String> answer = send("HEAD", "/healthz");
    assertThat(answer.statusCode()).isEqualTo(200);
    assertThat(answer.body()).isEmpty();
    assertThat(answer.headers().firstValue("content-length")).hasValue("3");
  }

  @Test
  void otherPagesAndMethodsAreProblems() throws Exception {
    HttpResponse<String> missing = send("GET", "/");
    assertProblem(missing, 404, "/: no such page (expected: /healthz, /readyz or /metrics)");
    HttpResponse<String> refused = send("POST", "/metrics");
    assertProblem(refused, 405, "POST /metrics: not allowed (expected: GET or HEAD)");
    assertThat(refused.headers().firstValue("allow")).hasValue("GET, HEAD");
  }

  @Test
  void aFailingCheckIsAProblemAndNotTheServersEnd() throws Exception {
    ManagementServer failing =
        start(
            ANY_PORT,
            () -> {
              throw new IllegalStateException("defect");
            });
    assertProblem(send(failing, "GET", "/readyz"), 500, "/readyz: failed, the log says why");
    assertThat(send(failing, "GET", "/healthz").statusCode()).isEqualTo(200);
    failing.close(Duration.ofSeconds(5)).toCompletableFuture().get(10, TimeUnit.SECONDS);
  }

  @Test
  void anOldProbeWithoutAHostIsAnswered() throws Exception {
    assertThat(raw("GET /healthz HTTP/1.0\r\n\r\n")).startsWith("HTTP/1.1 200").endsWith("ok\n");
  }

  @Test
  void aLargeRequestHeadIsRefused() throws Exception {
    String head = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ";
    assertThat(raw(head + "v".repeat(5000) + "\r\n\r\n")).startsWith("HTTP/1.1 431");
  }

  @Test
  void aTakenPortIsToldWithItsSetting() throws Exception {
    try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      var address = new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), taken.getLocalPort());
      assertThatThrownBy(() -> start(address, List::of))
          .cause()
          .isInstanceOf(ListenFailed.class)
          .hasMessage(
              "management.listen 127.0.0.1:%d: address already in use (expected: a free port)",
              taken.getLocalPort());
    }
  }

  @Test
  void anAddressOfAnotherMachineIsToldWithItsSetting() {
    assertThatThrownBy(() -> start(new InetSocketAddress("192.0.2.1", 0), List::of))
        .cause()
        .isInstanceOf(ListenFailed.class)
        .hasMessage(
            "management.listen 192.0.2.1:0: cannot assign requested address"
                + " (expected: an address of this machine)");
  }

  @Test
  void aClosedServerFreesItsPort() throws Exception {
    ManagementServer first = start(ANY_PORT, List::of);
    assertThat(send(first, "GET", "/healthz").statusCode()).isEqualTo(200);
    first.close(Duration.ofSeconds(5)).toCompletableFuture().get(10, TimeUnit.SECONDS);
    assertThatThrownBy(
            () -> new Socket(first.address().getAddress(), first.address().getPort()).close())
        .hasMessageContaining("refused");
  }

  private ManagementServer start(InetSocketAddress address, Readiness readiness) throws Exception {
    return ManagementServer.start(kit.system(), address, registry, readiness)
        .toCompletableFuture()
        .get(20, TimeUnit.SECONDS);
  }

  private HttpResponse<String> send(String method, String path, String... headers)
      throws Exception {
    return send(server, method, path, headers);
  }

  private HttpResponse<String> send(
      ManagementServer target, String method, String path, String... headers) throws Exception {
    var uri = URI.create("http://127.0.0.1:" + target.address().getPort() + path);
    var request = HttpRequest.newBuilder(uri).method(method, BodyPublishers.noBody());
    if (headers.length > 0) {
      request.headers(headers);
    }
    return client.send(request.build(), BodyHandlers.ofString());
  }

  private String raw(String request) throws Exception {
    try (var socket = new Socket(server.address().getAddress(), server.address().getPort())) {
      OutputStream out = socket.getOutputStream();
      out.write(request.getBytes(StandardCharsets.US_ASCII));
      out.flush();
      return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  private static String contentType(HttpResponse<String> answer) {
    return answer.headers().firstValue("content-type").orElse("");
  }

  private static void assertProblem(HttpResponse<String> answer, int status, String detail)
      throws Exception {
    assertThat(answer.statusCode()).isEqualTo(status);
    assertThat(contentType(answer)).isEqualTo("application/problem+json");
    JsonNode problem = new ObjectMapper().readTree(answer.body());
    assertThat(problem.get("status").intValue()).isEqualTo(status);
    assertThat(problem.get("detail").textValue()).isEqualTo(detail);
  }
}
