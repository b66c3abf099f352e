package dev.penstock.testkit;

import static dev.penstock.testkit.KubernetesLab.PATIENCE;
import static dev.penstock.testkit.KubernetesLab.served;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.penstock.agent.Agent;
import dev.penstock.testkit.FakeKubernetesApi.Request;
import dev.penstock.testkit.KubernetesLab.Client;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The whole agent in a cluster, with a gateway. The API server is one in this process or, for what
/// needs no faults of it, the one of the kubeconfig that `PENSTOCK_TEST_KUBECONFIG` names: it must
/// have the Gateway API and our kinds.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class KubernetesSystemTest {
  private static final String REAL = System.getenv("PENSTOCK_TEST_KUBECONFIG");

  /// How agents reach that server: by the rights of the manifests, for example.
  private static final String AGENT =
      System.getenv().getOrDefault("PENSTOCK_TEST_AGENT_KUBECONFIG", REAL);

  /// From what a user does until clients notice.
  private static final Duration SOON = Limits.time(Duration.ofSeconds(2));

  /// From a writer's death until another one writes; its lease lasts 3 s.
  private static final Duration TAKEOVER = Limits.time(Duration.ofSeconds(10));

  private static final int CLIENTS = 12;
  private static final Duration OFTEN = Duration.ofMillis(20);
  private static final String ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/";

  private final String namespace =
      "penstock-test-" + Long.toString(ThreadLocalRandom.current().nextLong(1L << 40), 36);
  private final int port = Ports.free();

  @TempDir Path directory;
  private FakeKubernetesApi fake;
  private KubernetesLab lab;

  @BeforeEach
  void start() throws Exception {
    if (REAL == null) {
      fake = FakeKubernetesApi.start(directory);
      lab = new KubernetesLab(directory, fake);
    } else {
      lab = new KubernetesLab(directory, Path.of(REAL), Path.of(AGENT), someAddress());
    }
    lab.api().apply("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}".formatted(namespace));
  }

  @AfterEach
  void end() {
    if (lab != null) {
      lab.close();
    }
  }

  private static InetAddress someAddress() throws Exception {
    return NetworkInterface.networkInterfaces()
        .filter(one -> {
          try {
            return one.isUp() && !one.isLoopback();
          } catch (java.net.SocketException _) {
            return false;
          }
        })
        .flatMap(NetworkInterface::inetAddresses)
        .filter(java.net.Inet4Address.class::isInstance)
        .findFirst()
        .orElseThrow();
  }

  private FakeKubernetesApi fake() {
    assumeTrue(fake != null, "an API server whose faults can be arranged");
    return fake;
  }

  private void ownGateway() {
    lab.api()
        .apply(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: GatewayClass
            metadata: {name: %1$s}
            spec: {controllerName: penstock.dev/tunnel-gateway}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front, namespace: %1$s}
            spec:
              gatewayClassName: %1$s
              listeners:
                - {name: db, port: %2$d, protocol: TCP, allowedRoutes: {namespaces: {from: Same}}}
            """
                .formatted(namespace, port));
  }

  private void route(String backend) {
    route(backend, "v1");
  }

  private void route(String backend, String version) {
    lab.api()
        .apply(
            """
            apiVersion: gateway.networking.k8s.io/%s
            kind: TCPRoute
            metadata: {name: db, namespace: %s}
            spec:
              parentRefs: [{name: front, sectionName: db}]
              rules: [{backendRefs: [{name: %s, port: 5432}]}]
            """
                .formatted(version, namespace, backend));
  }

  private String routePath() {
    return ROUTES + namespace + "/tcproutes/db";
  }

  private String condition(String path, String at, String type) {
    JsonNode object = lab.api().get(path);
    for (JsonNode condition : object.at(at)) {
      if (condition.path("type").asText().equals(type)) {
        return condition.path("status").asText();
      }
    }
    return "";
  }

  private void awaitServed(String pod) {
    awaitServed(pod, PATIENCE);
  }

  private void awaitServed(String pod, Duration atMost) {
    await(pod + " is served")
        .atMost(atMost)
        .pollInterval(OFTEN)
        .until(() -> served(port).equals(pod));
  }

  private void awaitNotServed(Duration atMost) {
    await("nobody is served")
        .atMost(atMost)
        .pollInterval(OFTEN)
        .until(() -> served(port).isEmpty());
  }

  @Test
  void anAppliedRouteIsServedSoonAndARemovedOneNoLonger() throws Exception {
    lab.startAgent("agent-1");
    lab.service(namespace, "red");
    lab.service(namespace, "blue");
    ownGateway();
    route("red");
    awaitServed("red");
    await("the route's status")
        .atMost(PATIENCE)
        .until(() ->
            condition(routePath(), "/status/parents/0/conditions", "Accepted").equals("True"));
    await("the gateway's status")
        .atMost(PATIENCE)
        .until(() ->
            condition(ROUTES + namespace + "/gateways/front", "/status/conditions", "Programmed")
                .equals("True"));
    await("a TunnelEndpoint with the port")
        .atMost(PATIENCE)
        .until(() ->
            lab.api()
                .get("/apis/penstock.dev/v1alpha1/namespaces/" + namespace + "/tunnelendpoints")
                .at("/items/0/status")
                .toString()
                .contains(String.valueOf(port)));
    route("blue");
    awaitServed("blue");
    lab.api().delete(routePath());
    awaitNotServed(PATIENCE);
    route("red");
    awaitServed("red", SOON);
    lab.api().delete(routePath());
    awaitNotServed(SOON);
  }

  @Test
  void aTunnelThatComesBackWithinTheRetentionHasItsPortAgain() throws Exception {
    assertThat(portOfAMarkedGateway()).isEqualTo(portOfAMarkedGateway());
  }

  private int portOfAMarkedGateway() throws Exception {
    Agent agent = lab.startAgent("agent-1");
    lab.service(namespace, "red");
    markedGateway("True");
    route("red");
    String endpoints = "/apis/penstock.dev/v1alpha1/namespaces/" + namespace + "/tunnelendpoints";
    await("a public port")
        .atMost(PATIENCE)
        .until(() -> lab.api().get(endpoints).at("/items/0/status/port").asInt() > 0);
    int given = lab.api().get(endpoints).at("/items/0/status/port").asInt();
    await("served").atMost(PATIENCE).until(() -> served(given).equals("red"));
    lab.api().delete(ROUTES + namespace + "/gateways/front");
    await("gone").atMost(PATIENCE).until(() -> served(given).isEmpty());
    await("no TunnelEndpoint")
        .atMost(PATIENCE)
        .until(() -> lab.api().get(endpoints).at("/items/0").isMissingNode());
    agent.close();
    return given;
  }

  /// A Gateway of another controller, which has said so about it.
  private void markedGateway(String accepted) {
    lab.api()
        .apply(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front, namespace: %s, labels: {pipeops.io/managed: "true"}}
            spec:
              gatewayClassName: somebody-elses
              listeners:
                - {name: db, port: %d, protocol: TCP, allowedRoutes: {namespaces: {from: Same}}}
            status:
              conditions:
                - {type: Accepted, status: "%s", reason: Accepted, message: "", observedGeneration: 1,
                   lastTransitionTime: "2026-01-01T00:00:00Z"}
            """
                .formatted(namespace, port, accepted));
  }

  @Test
  void nothingOfAForeignGatewayAndItsRoutesIsWritten() throws Exception {
    FakeKubernetesApi server = fake();
    lab.service(namespace, "red");
    markedGateway("True");
    route("red");
    int before = server.requests().size();
    lab.startAgent("agent-1");
    String endpoints = "/apis/penstock.dev/v1alpha1/namespaces/" + namespace + "/tunnelendpoints";
    await("the TunnelEndpoint is ready")
        .atMost(PATIENCE)
        .until(() -> lab.api().get(endpoints).at("/items/0/status/port").asInt() > 0);
    List<Request> written =
        server.requests().stream().skip(before).filter(Request::isWrite).toList();
    assertThat(written)
        .isNotEmpty()
        .allSatisfy(request ->
            assertThat(request.path()).matches(".*/(leases|events|tunnelendpoints)(/.*)?(\\?.*)?"));
  }

  @Test
  void kindsThatComeLaterAreWatchedThenAndThoseThatGoHarmNothing() throws Exception {
    FakeKubernetesApi server = fake();
    server.withdraw("v1");
    lab.startAgent("agent-1");
    server.serve("v1");
    lab.service(namespace, "red");
    ownGateway();
    route("red");
    await("served").atMost(PATIENCE).until(() -> served(port).equals("red"));
    server.withdraw("v1");
    awaitNotServed(PATIENCE);
    server.serve("v1");
    await("served again").atMost(PATIENCE).until(() -> served(port).equals("red"));
  }

  @Test
  void routesOfAServerThatHasTheAlphaVersionOnlyAreServed() throws Exception {
    FakeKubernetesApi server = fake();
    server.serve("v1alpha2");
    server.withdrawKind("v1", "tcproutes");
    server.withdrawKind("v1", "udproutes");
    lab.startAgent("agent-1");
    lab.service(namespace, "red");
    ownGateway();
    route("red", "v1alpha2");
    awaitServed("red");
    await("its status")
        .atMost(PATIENCE)
        .until(() ->
            condition(
                    routePath().replace("/v1/", "/v1alpha2/"),
                    "/status/parents/0/conditions",
                    "Accepted")
                .equals("True"));
  }

  private void awaitAccepted() {
    await("the status")
        .atMost(PATIENCE)
        .until(() ->
            condition(routePath(), "/status/parents/0/conditions", "Accepted").equals("True"));
  }

  @Test
  void aWriteThatMeetsAConflictIsTriedAgain() throws Exception {
    FakeKubernetesApi server = fake();
    Predicate<Request> status =
        request ->
            request.method().equals("PUT") && request.path().endsWith("/tcproutes/db/status");
    server.refuse(status, 409, 2);
    lab.startAgent("agent-1");
    lab.service(namespace, "red");
    ownGateway();
    route("red");
    awaitAccepted();
    assertThat(server.requests().stream().filter(status)).hasSizeGreaterThanOrEqualTo(3);
  }

  @Test
  void aServerThatHasTooMuchToDoIsLeftAloneForAWhile() throws Exception {
    FakeKubernetesApi server = fake();
    Predicate<Request> status =
        request -> request.method().equals("PUT") && request.path().endsWith("/status");
    server.refuseFor(status, 3);
    lab.startAgent("agent-1");
    lab.service(namespace, "red");
    ownGateway();
    route("red");
    awaitAccepted();
    // What was refused may be another's status than the route's.
    List<Long> waits =
        await("the write that was refused, again")
            .atMost(PATIENCE)
            .until(
                () -> sinceFirst(server.requests().stream().filter(status).toList()),
                since -> since.stream().anyMatch(after -> after >= 2_900_000_000L));
    // What was under way when the first was refused came right after it.
    assertThat(waits)
        .as("all wait, whatever they are about")
        .noneMatch(after -> after > 1_500_000_000L && after < 2_900_000_000L);
  }

  private static List<Long> sinceFirst(List<Request> requests) {
    long first = requests.stream().mapToLong(Request::atNanos).min().orElse(0);
    return requests.stream().map(request -> request.atNanos() - first).sorted().toList();
  }

  @Test
  void whatIsKnownIsServedWhileTheServerIsAwayAndWhatChangedThenAfterwards() throws Exception {
    FakeKubernetesApi server = fake();
    lab.startAgent("agent-1");
    lab.service(namespace, "red");
    lab.service(namespace, "blue");
    ownGateway();
    route("red");
    awaitServed("red");
    try (Client open = KubernetesLab.connect(port)) {
      server.down();
      assertThat(served(port)).isEqualTo("red");
      server.up();
      route("blue");
      await("the change").atMost(PATIENCE).until(() -> served(port).equals("blue"));
      assertThat(open.isServed()).isTrue();
    }
  }

  @Test
  void aKindThatMayNotBeReadIsToldAndTheOthersAreServed() throws Exception {
    withoutTheRightToReadUdpRoutes();
  }

  private Agent withoutTheRightToReadUdpRoutes() throws Exception {
    fake().forbid(request -> request.path().contains("/udproutes"));
    Agent agent = lab.startAgent("agent-1");
    lab.service(namespace, "red");
    ownGateway();
    route("red");
    awaitServed("red");
    assertThat(KubernetesLab.page(agent, "/metrics"))
        .contains("penstock_agent_kubernetes_watches_broken 1.0");
    return agent;
  }

  /// The client asks ever less often, down to every 16 s.
  @Test
  @Tag("long")
  void aKindThatMayBeReadAgainIsWatchedWithoutARestart() throws Exception {
    Agent agent = withoutTheRightToReadUdpRoutes();
    fake().forgive();
    await("all are watched")
        .atMost(PATIENCE)
        .until(() ->
            KubernetesLab.page(agent, "/metrics")
                .contains("penstock_agent_kubernetes_watches_broken 0.0"));
  }

  @Test
  void anEndpointThatTakesNoConnectionIsFollowedByTheNext() throws Exception {
    fake();
    Agent agent = lab.startAgent("agent-1");
    int live = lab.service(namespace, "red").port();
    lab.api()
        .apply(
            """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata:
              name: red-1
              namespace: %s
              labels: {kubernetes.io/service-name: red}
            addressType: IPv4
            endpoints:
              - {addresses: ["127.0.0.1"], conditions: {ready: true}}
              - {addresses: ["127.0.0.9"], conditions: {ready: true}}
            ports: [{name: main, port: %d, protocol: TCP}]
            """
                .formatted(namespace, live));
    ownGateway();
    route("red");
    awaitServed("red");
    // That the dead one is never the first of so many is less likely than one in a million.
    for (int i = 0; i < 20; i++) {
      assertThat(served(port)).isEqualTo("red");
    }
    assertThat(KubernetesLab.page(agent, "/metrics"))
        .doesNotContain("penstock_agent_endpoints_failed_total 0.0");
  }

  @Test
  void aGrantThatIsTakenAwayEndsTheAccess() throws Exception {
    String other = namespace + "-db";
    lab.api().apply("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}".formatted(other));
    lab.startAgent("agent-1");
    lab.service(other, "red");
    ownGateway();
    lab.api()
        .apply(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: ReferenceGrant
            metadata: {name: db, namespace: %1$s}
            spec:
              from: [{group: gateway.networking.k8s.io, kind: TCPRoute, namespace: %2$s}]
              to: [{group: "", kind: Service}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: TCPRoute
            metadata: {name: db, namespace: %2$s}
            spec:
              parentRefs: [{name: front, sectionName: db}]
              rules: [{backendRefs: [{name: red, namespace: %1$s, port: 5432}]}]
            """
                .formatted(other, namespace));
    awaitServed("red");
    lab.api().delete(ROUTES + other + "/referencegrants/db");
    awaitNotServed(PATIENCE);
    await("the route's status")
        .atMost(PATIENCE)
        .until(() ->
            condition(routePath(), "/status/parents/0/conditions", "ResolvedRefs").equals("False"));
  }

  @Test
  void aKilledWriterIsFollowedByTheOtherAgentWhoseClientsNoticeNothing() throws Exception {
    Map<String, NodeProcess> agents =
        Map.of(
            "agent-1", lab.startAgentProcess("agent-1"),
            "agent-2", lab.startAgentProcess("agent-2"));
    agents.values().forEach(NodeProcess::awaitReady);
    lab.service(namespace, "red");
    lab.service(namespace, "blue");
    ownGateway();
    route("red");
    await("served").atMost(PATIENCE).until(() -> served(port).equals("red"));
    String writer = writer();
    NodeProcess killed = agents.get(writer);
    NodeProcess other = agents.get(writer.equals("agent-1") ? "agent-2" : "agent-1");
    assertThat(other.metric("penstock_agent_kubernetes_leader")).isZero();
    var clients = new ArrayList<Client>();
    for (int i = 0; i < CLIENTS; i++) {
      await("a client").atMost(PATIENCE).until(() -> clients.add(KubernetesLab.connect(port)));
    }
    double carried = other.metric("pipeops_agent_tcp_tunnel_active_connections");
    assertThat(carried).isBetween(1.0, CLIENTS - 1.0);
    killed.kill();
    await("the other one writes").atMost(TAKEOVER).until(() -> !writer().equals(writer));
    assertThat(clients.stream().filter(Client::isServed).count()).isEqualTo((long) carried);
    clients.forEach(Client::close);
    route("blue");
    await("a change").atMost(PATIENCE).until(() -> served(port).equals("blue"));
    await("its status")
        .atMost(PATIENCE)
        .until(() -> {
          JsonNode route = lab.api().get(routePath());
          return route.at("/status/parents/0/conditions/0/observedGeneration").asLong()
              == route.at("/metadata/generation").asLong();
        });
  }

  private String writer() {
    return lab.api()
        .get("/apis/coordination.k8s.io/v1/namespaces/penstock/leases/penstock-agent-writer")
        .at("/spec/holderIdentity")
        .asText();
  }
}
