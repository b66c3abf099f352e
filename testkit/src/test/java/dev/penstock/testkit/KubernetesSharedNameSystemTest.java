package dev.penstock.testkit;

import static dev.penstock.testkit.KubernetesLab.PATIENCE;
import static dev.penstock.testkit.KubernetesLab.served;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import dev.penstock.agent.Agent;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Two Kubernetes clusters whose agents have one token: the second is told so at its own objects,
/// harms nobody, and follows when the first is gone.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class KubernetesSharedNameSystemTest {
  private static final String ENDPOINTS = "/apis/penstock.dev/v1alpha1/tunnelendpoints";
  private static final String EVENTS = "/apis/events.k8s.io/v1/events";

  private final ObjectStore east = new ObjectStore();
  private final ObjectStore west = new ObjectStore();
  private final int port = Ports.free();

  @TempDir Path directory;
  private FakeKubernetesApi other;
  private KubernetesLab lab;

  @BeforeEach
  void start() throws Exception {
    other = FakeKubernetesApi.start(directory, west);
    lab = new KubernetesLab(directory, FakeKubernetesApi.start(directory, east));
    lab.service("team", "db");
    fill(east);
    fill(west);
  }

  @AfterEach
  void end() {
    if (lab != null) {
      lab.close();
    }
    if (other != null) {
      other.close();
    }
  }

  private void fill(ObjectStore cluster) {
    cluster.apply(
        "{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"kube-system\"}}");
    cluster.apply(
        """
        {"apiVersion": "v1", "kind": "Service",
         "metadata": {"name": "db", "namespace": "team"},
         "spec": {"ports": [{"name": "main", "port": 5432, "protocol": "TCP"}]}}\
        """);
    cluster.applyClass();
    cluster.applyFront(port);
    cluster.applyFrontRoute("db");
  }

  /// Why the only endpoint of a cluster is ready or not.
  private static String readiness(ObjectStore cluster) {
    for (JsonNode endpoint : cluster.all(ENDPOINTS)) {
      for (JsonNode condition : endpoint.at("/status/conditions")) {
        return condition.path("reason").asText();
      }
    }
    return "";
  }

  private static void awaitReadiness(ObjectStore cluster, String reason) {
    await(reason).atMost(PATIENCE.multipliedBy(2)).until(() -> readiness(cluster).equals(reason));
  }

  @Test
  void theSecondIsToldAtItsObjectsAndFollowsWhenTheFirstIsGone() {
    Agent first = lab.startAgent("east-1");
    awaitReadiness(east, "Ready");

    Agent second = lab.startAgentIn(other, "west-1");
    awaitReadiness(west, "IdentityTaken");
    await("an event")
        .atMost(PATIENCE)
        .untilAsserted(() ->
            assertThat(west.all(EVENTS))
                .anySatisfy(event -> {
                  assertThat(event.path("reason").asText()).isEqualTo("IdentityTaken");
                  assertThat(event.path("note").asText())
                      .contains("another Kubernetes cluster", "cluster lab");
                }));
    assertThat(KubernetesLab.page(second, "/readyz")).contains("no link to the gateway");
    assertThat(served(port)).isEqualTo("db");
    assertThat(readiness(east)).isEqualTo("Ready");
    assertThat(lab.tunnels()).isOne();

    first.close();
    awaitReadiness(west, "Ready");
  }
}
