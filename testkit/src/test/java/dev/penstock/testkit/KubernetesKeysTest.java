package dev.penstock.testkit;

import static dev.penstock.testkit.KubernetesLab.PATIENCE;
import static dev.penstock.testkit.KubernetesLab.served;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.agent.Agent;
import dev.penstock.testkit.FakeKubernetesApi.Request;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What the keys below `kubernetes` do to a whole agent.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class KubernetesKeysTest {
  private static final String GATEWAY_API = "/apis/gateway.networking.k8s.io/v1";
  private static final String LEASES = "/apis/coordination.k8s.io/v1/namespaces/";

  private final int port = Ports.free();
  private final int otherPort = Ports.free();

  @TempDir Path directory;
  private FakeKubernetesApi server;
  private KubernetesLab lab;

  @BeforeEach
  void start() throws Exception {
    server = FakeKubernetesApi.start(directory);
    lab = new KubernetesLab(directory, server);
    lab.api()
        .apply(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: GatewayClass
            metadata: {name: penstock}
            spec: {controllerName: penstock.dev/tunnel-gateway}
            """);
  }

  @AfterEach
  void end() {
    if (lab != null) {
      lab.close();
    }
  }

  /// A Gateway, a route and a pod, called after the namespace.
  private void expose(String namespace, String labels, String gatewayClass, int listener)
      throws Exception {
    lab.api().apply("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}".formatted(namespace));
    lab.service(namespace, namespace);
    lab.api()
        .apply(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front, namespace: %1$s, labels: {%2$s}}
            spec:
              gatewayClassName: %3$s
              listeners:
                - {name: db, port: %4$d, protocol: TCP, allowedRoutes: {namespaces: {from: Same}}}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: TCPRoute
            metadata: {name: db, namespace: %1$s}
            spec:
              parentRefs: [{name: front, sectionName: db}]
              rules: [{backendRefs: [{name: %1$s, port: 5432}]}]
            """
                .formatted(namespace, labels, gatewayClass, listener));
  }

  private void awaitServed(String pod, int at) {
    await(pod + " is served").atMost(PATIENCE).until(() -> served(at).equals(pod));
  }

  private List<String> read() {
    return server.requests().stream()
        .filter(request -> !request.isWrite())
        .map(Request::path)
        .toList();
  }

  @Test
  void onlyTheNamespacesNamedAreLookedAt() throws Exception {
    expose("left-out", "", "penstock", otherPort);
    expose("looked-at", "", "penstock", port);
    int before = read().size();
    lab.startAgent("agent-1", Map.of("PENSTOCK_KUBERNETES_WATCH_NAMESPACES", "looked-at"));
    awaitServed("looked-at", port);
    assertThat(served(otherPort)).isEmpty();
    assertThat(read().stream().skip(before))
        .noneMatch(path -> path.contains("/left-out/"))
        .noneMatch(path -> path.startsWith(GATEWAY_API + "/tcproutes"))
        .anyMatch(path -> path.startsWith(GATEWAY_API + "/namespaces/looked-at/tcproutes"));
  }

  @Test
  void gatewaysOfOurOwnClassMayBeLeftAlone() throws Exception {
    expose("own", "", "penstock", otherPort);
    expose("marked", "pipeops.io/managed: \"true\"", "another", port);
    int before = server.requests().size();
    lab.startAgent("agent-1", Map.of("PENSTOCK_KUBERNETES_GATEWAY_CLASS", "false"));
    String endpoints = "/apis/penstock.dev/v1alpha1/tunnelendpoints";
    await("the marked one has its port")
        .atMost(PATIENCE)
        .until(() -> lab.api().get(endpoints).at("/items/0/status/port").asInt() > 0);
    assertThat(lab.api().get(endpoints).path("items")).hasSize(1);
    assertThat(served(otherPort)).isEmpty();
    assertThat(server.requests().stream().skip(before).filter(Request::isWrite))
        .noneMatch(request -> request.path().startsWith(GATEWAY_API));
  }

  @Test
  void anAgentDoesWhatItsRolesSay() throws Exception {
    expose("both", "", "penstock", port);
    Agent carrier = lab.startAgent("carrier", Map.of("PENSTOCK_KUBERNETES_ROLES", "data"));
    Agent writer = lab.startAgent("writer", Map.of("PENSTOCK_KUBERNETES_ROLES", "controller"));
    awaitServed("both", port);
    assertThat(KubernetesLab.page(writer, "/metrics"))
        .contains("penstock_agent_kubernetes_leader 1.0", "\npenstock_agent_links 0.0");
    assertThat(KubernetesLab.page(carrier, "/metrics"))
        .contains("penstock_agent_kubernetes_leader 0.0", "\npenstock_agent_links 2.0")
        .contains("pipeops_agent_tcp_tunnel_connections_total 1.0");
  }

  @Test
  void theLeaseIsWhereAndWhatItIsToldToBe() {
    Agent agent =
        lab.startAgent(
            "agent-1",
            Map.of(
                "PENSTOCK_KUBERNETES_LEASE_NAMESPACE", "elsewhere",
                "PENSTOCK_KUBERNETES_LEASE_NAME", "office",
                "PENSTOCK_KUBERNETES_LEASE_DURATION", "5s"));
    String lease = LEASES + "elsewhere/leases/office";
    await("a holder")
        .atMost(PATIENCE)
        .until(() -> lab.api().get(lease).at("/spec/holderIdentity").asText().equals("agent-1"));
    assertThat(lab.api().get(lease).at("/spec/leaseDurationSeconds").asInt()).isEqualTo(5);
    agent.close();
    assertThat(lab.api().get(lease).at("/spec/holderIdentity").asText()).isEmpty();
  }
}
