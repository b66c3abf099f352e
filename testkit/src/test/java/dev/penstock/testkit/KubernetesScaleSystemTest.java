package dev.penstock.testkit;

import static java.util.stream.Collectors.counting;
import static java.util.stream.Collectors.groupingBy;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import dev.penstock.testkit.FakeKubernetesApi.Request;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// An agent in a process of its own in a large cluster: how long it takes to know everything, how
/// soon it acts on one change, how much memory it takes, and what it asks of the API server.
@Tag("alone")
class KubernetesScaleSystemTest {
  /// Of each Gateway: as many listeners, each with a route.
  private static final int LISTENERS = 5;

  private static final int NAMESPACES = 20;
  private static final int FIRST_PORT = 10_000;
  private static final int CHANGES = 20;
  private static final int FEW_CHANGES = 5;

  private static final Duration SYNC = Limits.time(Duration.ofSeconds(10));
  private static final Duration ONE_CHANGE = Limits.time(Duration.ofMillis(100));

  /// In the first seconds of an agent, whose code is not compiled yet.
  private static final Duration FIRST_CHANGES = Limits.time(Duration.ofSeconds(1));

  private static final long MEMORY = 300L << 20;

  /// What is left of the memory is code, threads and buffers.
  private static final String HEAP = "96m";

  private static final Duration ALL_REGISTERED = Duration.ofMinutes(1);

  /// The agent writes 200 times in a second, and once in a second about one object.
  private static final Duration ALL_WRITTEN = Duration.ofMinutes(12);

  /// Nothing but the lease is asked for so long: whatever followed from the last change has.
  private static final Duration QUIET = Duration.ofMillis(400);

  private static final String GATEWAY_API = "/apis/gateway.networking.k8s.io/v1/";
  private static final Pattern OBJECTS =
      Pattern.compile(
          ".*/(gatewayclasses|gateways|tcproutes|udproutes|referencegrants|services|namespaces"
              + "|endpointslices|tunnelgatewayparameters|tunnelendpoints)(\\?.*)?");

  private final ObjectStore objects = new ObjectStore();

  @TempDir Path directory;
  private FakeKubernetesApi api;
  private KubernetesLab lab;

  @BeforeEach
  void start() throws Exception {
    api = FakeKubernetesApi.start(directory, objects);
    lab = new KubernetesLab(directory, api);
  }

  @AfterEach
  void end() {
    if (lab != null) {
      lab.close();
    }
  }

  @Test
  @Timeout(value = 240, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void fiftyRoutesAreFoundSoonAndAskedForOnce() {
    assertThat(measure(10, 0, FEW_CHANGES)).isLessThan(FIRST_CHANGES);
  }

  @Test
  @Tag("long")
  @Timeout(value = 1_200, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void fiveThousandRoutesOfAThousandGatewaysAreFoundSoonAndAskedForOnce() {
    assertThat(measure(1_000, CHANGES, CHANGES)).isLessThan(ONE_CHANGE);
  }

  /// @param warmUp changes before those that are measured
  /// @return the median of the times until a change was acted on
  private Duration measure(int gateways, int warmUp, int changes) {
    fill(gateways);
    NodeProcess first = agent("agent-1");
    Duration firstSync = awaitSynced(first, gateways * LISTENERS);
    awaitWritten(gateways * LISTENERS);
    long firstMemory = first.residentBytes();
    Duration firstCpu = first.cpuTime();
    first.terminate();

    long restartedAt = System.nanoTime();
    NodeProcess agent = agent("agent-2");
    Duration sync = awaitSynced(agent, gateways * LISTENERS);
    awaitQuiet();
    int each = gateways / (warmUp + changes);
    for (int i = 0; i < warmUp; i++) {
      change(i * each);
      awaitQuiet();
    }
    long memory = agent.residentBytes();
    var handled = new ArrayList<Duration>();
    for (int i = warmUp; i < warmUp + changes; i++) {
      handled.add(change(i * each));
      awaitQuiet();
    }
    handled.sort(null);
    Duration median = handled.get(changes / 2);
    long memoryAfterwards = agent.residentBytes();
    double looks = agent.metric("penstock_agent_kubernetes_look_seconds_count");
    double looking = agent.metric("penstock_agent_kubernetes_look_seconds_sum");
    System.out.printf(
        "%d Gateways, %d routes: ready %d ms after the first start and %d ms after a restart;"
            + " a change handled within %d ms (median), %d to %d ms; %.0f looks of %.1f ms each;"
            + " resident %d MiB after all was written (CPU %d s), %d MiB after the restart,"
            + " %d MiB after the changes%n",
        gateways,
        gateways * LISTENERS,
        firstSync.toMillis(),
        sync.toMillis(),
        median.toMillis(),
        handled.getFirst().toMillis(),
        handled.getLast().toMillis(),
        looks,
        looking / looks * 1_000,
        firstMemory >> 20,
        firstCpu.toSeconds(),
        memory >> 20,
        memoryAfterwards >> 20);
    assertThat(lists(restartedAt)).hasSize(10).allSatisfy((_, times) -> assertThat(times).isOne());
    assertThat(List.of(firstSync, sync)).allSatisfy(took -> assertThat(took).isLessThan(SYNC));
    assertThat(List.of(firstMemory, memory, memoryAfterwards))
        .allSatisfy(bytes -> assertThat(bytes).isLessThan(MEMORY));
    return median;
  }

  /// With the lease's usual duration: on a busy machine the lab's short one is lost now and then.
  private NodeProcess agent(String id) {
    return lab.startAgentProcess(
        id, Map.of("PENSTOCK_HEAP", HEAP, "PENSTOCK_KUBERNETES_LEASE_DURATION", "15s"));
  }

  /// Waits until the agent is ready and registers, and the gateway listens for all tunnels; how
  /// long that took from the command on.
  private Duration awaitSynced(NodeProcess agent, int tunnels) {
    agent.awaitReady();
    await("all tunnels")
        .atMost(ALL_REGISTERED)
        .pollInterval(Duration.ofMillis(20))
        .until(() ->
            agent.metric("penstock_agent_kubernetes_leader") == 1
                && agent.metric("pipeops_agent_gateway_watcher_discovered_services") == tunnels
                && lab.tunnels() == tunnels);
    return Duration.ofNanos(System.nanoTime() - agent.startedNanos());
  }

  private void fill(int gateways) {
    objects.applyClass();
    for (int i = 0; i < NAMESPACES; i++) {
      objects.apply(
          "{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"team-%d\"}}"
              .formatted(i));
    }
    for (int i = 0; i < gateways; i++) {
      fillOne(i);
    }
  }

  private void fillOne(int gateway) {
    String namespace = namespace(gateway);
    objects.apply(
        """
        {"apiVersion": "v1", "kind": "Service",
         "metadata": {"name": "db-%1$d", "namespace": "%2$s"},
         "spec": {"ports": [{"name": "main", "port": 5432, "protocol": "TCP"}]}}\
        """
            .formatted(gateway, namespace));
    objects.apply(
        """
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
         "metadata": {"name": "db-%1$d-1", "namespace": "%2$s",
           "labels": {"kubernetes.io/service-name": "db-%1$d"}},
         "addressType": "IPv4",
         "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": true}}],
         "ports": [{"name": "main", "port": 9, "protocol": "TCP"}]}\
        """
            .formatted(gateway, namespace));
    var listeners = new ArrayList<String>();
    for (int listener = 0; listener < LISTENERS; listener++) {
      listeners.add(
          "{\"name\": \"l%d\", \"port\": %d, \"protocol\": \"TCP\"}"
              .formatted(listener, FIRST_PORT + gateway * LISTENERS + listener));
    }
    objects.apply(
        """
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
         "metadata": {"name": "gateway-%d", "namespace": "%s"},
         "spec": {"gatewayClassName": "penstock", "listeners": [%s]}}\
        """
            .formatted(gateway, namespace, String.join(", ", listeners)));
    for (int listener = 0; listener < LISTENERS; listener++) {
      route(gateway, listener, 5432);
    }
  }

  private static String namespace(int gateway) {
    return "team-" + gateway % NAMESPACES;
  }

  private String route(int gateway, int listener, int port) {
    return objects.apply(
        """
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "TCPRoute",
         "metadata": {"name": "route-%1$d-%3$d", "namespace": "%2$s"},
         "spec": {"parentRefs": [{"name": "gateway-%1$d", "sectionName": "l%3$d"}],
           "rules": [{"backendRefs": [{"name": "db-%1$d", "port": %4$d}]}]}}\
        """
            .formatted(gateway, namespace(gateway), listener, port));
  }

  /// From the moment in which the API server tells the change until its first request about it: the
  /// route's backend has no such port any more.
  private Duration change(int gateway) {
    long before = System.nanoTime();
    String path = route(gateway, 0, 5433);
    await("a write about " + path)
        .atMost(KubernetesLab.PATIENCE)
        .pollInterval(Duration.ofMillis(20))
        .until(() -> objects.get(path).at("/status").toString().contains("BackendNotFound"));
    long at =
        api.requests().stream()
            .filter(request -> request.atNanos() > before && request.path().startsWith(path))
            .mapToLong(Request::atNanos)
            .min()
            .orElseThrow();
    return Duration.ofNanos(at - before);
  }

  private void awaitWritten(int tunnels) {
    await("all statuses")
        .atMost(ALL_WRITTEN)
        .pollInterval(Duration.ofMillis(500))
        .until(() ->
            objects.all(GATEWAY_API + "tcproutes").stream().allMatch(route -> route.has("status"))
                && objects.all(GATEWAY_API + "gateways").stream()
                    .allMatch(gateway -> isTrue(gateway, "Programmed"))
                && readyEndpoints() == tunnels);
  }

  private long readyEndpoints() {
    return objects.all("/apis/penstock.dev/v1alpha1/tunnelendpoints").stream()
        .filter(endpoint -> isTrue(endpoint, "Ready"))
        .count();
  }

  private static boolean isTrue(JsonNode object, String type) {
    for (JsonNode condition : object.at("/status/conditions")) {
      if (condition.path("type").asText().equals(type)) {
        return condition.path("status").asText().equals("True");
      }
    }
    return false;
  }

  private void awaitQuiet() {
    long from = System.nanoTime();
    await("nothing to do")
        .atMost(KubernetesLab.PATIENCE)
        .pollInterval(Duration.ofMillis(20))
        .until(() -> {
          long last =
              api.requests().stream()
                  .filter(request ->
                      OBJECTS.matcher(request.path()).matches()
                          || request.path().endsWith("/status"))
                  .mapToLong(Request::atNanos)
                  .max()
                  .orElse(0);
          return System.nanoTime() - Math.max(last, from) > QUIET.toNanos();
        });
  }

  /// How often the objects of each kind were listed since then.
  private Map<String, Long> lists(long since) {
    return api.requests().stream()
        .filter(request -> request.atNanos() > since)
        .filter(request -> !request.isWrite() && OBJECTS.matcher(request.path()).matches())
        .filter(request -> !request.path().contains("watch=true"))
        // A list is read page by page.
        .filter(request -> !request.path().contains("continue="))
        .collect(groupingBy(request -> request.path().replaceFirst("\\?.*", ""), counting()));
  }
}
