package dev.penstock.testkit;

import static dev.penstock.testkit.KubernetesLab.PATIENCE;
import static dev.penstock.testkit.KubernetesLab.served;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.agent.Agent;
import dev.penstock.testkit.KubernetesLab.Client;
import dev.penstock.testkit.ObjectStore.Gone;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// An agent whose API server fails it in every way that real ones do: it serves what it knows, says
/// what is missing, and knows what happened meanwhile as soon as it can.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class KubernetesOutageSystemTest {
  private static final String ROUTES = "/apis/gateway.networking.k8s.io/v1/tcproutes";

  private final ObjectStore objects = new ObjectStore();
  private final int port = Ports.free();

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

  private void fill() throws Exception {
    lab.service("team", "red");
    lab.service("team", "blue");
    objects.applyClass();
    objects.applyFront(port);
    route("red");
  }

  private void route(String backend) {
    objects.applyFrontRoute(backend);
  }

  private void awaitServed(String pod, Duration atMost) {
    await(pod + " is served")
        .atMost(atMost)
        .pollInterval(Duration.ofMillis(20))
        .until(() -> served(port).equals(pod));
  }

  /// How often the routes were listed.
  private long lists() {
    return api.requests().stream()
        .filter(request -> !request.isWrite() && request.path().startsWith(ROUTES))
        .filter(request -> !request.path().contains("watch=true"))
        .count();
  }

  /// An agent that serves, has written, and has seen that it has.
  private Agent startServing() throws Exception {
    fill();
    Agent agent = lab.startAgent("agent-1");
    awaitServed("red", PATIENCE);
    awaitStatusOf(1);
    return agent;
  }

  private void awaitStatusOf(int generation) {
    await("the status of generation " + generation)
        .atMost(PATIENCE.multipliedBy(3))
        .until(() ->
            objects
                    .get(ROUTES.replace("/tcproutes", "/namespaces/team/tcproutes/db"))
                    .at("/status/parents/0/conditions/0/observedGeneration")
                    .asLong()
                == generation);
  }

  @ParameterizedTest
  @EnumSource(Gone.class)
  void whatHappenedSinceIsReadAgainWhenTheServerDoesNotRememberIt(Gone how) throws Exception {
    startServing();
    try (Client open = KubernetesLab.connect(port)) {
      assertThat(lists()).isOne();
      objects.cutWatches(() -> {
        route("blue");
        objects.forget(how);
      });
      awaitServed("blue", PATIENCE);
      assertThat(lists()).isEqualTo(2);
      assertThat(open.isServed()).isTrue();
    }
    route("red");
    awaitServed("red", PATIENCE);
    assertThat(lists()).as("the watch holds").isEqualTo(2);
  }

  @Test
  void aWatchThatIsCutGoesOnWhereItWasWithoutAnotherList() throws Exception {
    startServing();
    objects.cutWatches(() -> route("blue"));
    awaitServed("blue", PATIENCE);
    assertThat(lists()).isOne();
  }

  @Test
  void aServerThatIsAwayForSecondsHarmsNobody() throws Exception {
    away(Duration.ofSeconds(4));
  }

  @Test
  @Tag("long")
  @Timeout(value = 900, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void aServerThatIsAwayForTenMinutesHarmsNobody() throws Exception {
    away(Duration.ofMinutes(10));
  }

  /// The client asks ever less often, down to every 16 s.
  private void away(Duration time) throws Exception {
    Agent agent = startServing();
    try (Client open = KubernetesLab.connect(port)) {
      api.down();
      await("served all the time")
          .during(time)
          .atMost(time.plus(PATIENCE))
          .pollInterval(Duration.ofMillis(200))
          .until(() -> open.isServed() && served(port).equals("red"));
      route("blue");
      api.up();
      awaitServed("blue", PATIENCE.multipliedBy(3));
      assertThat(open.isServed()).isTrue();
    }
    awaitStatusOf(2);
    await("everything is watched")
        .atMost(PATIENCE)
        .until(() ->
            KubernetesLab.page(agent, "/metrics")
                .contains("penstock_agent_kubernetes_watches_broken 0.0"));
  }

  @Test
  void aRightThatIsMissingIsNamedAndUsedAsSoonAsItIsGiven() throws Exception {
    api.forbid(request -> request.path().contains("/udproutes"));
    fill();
    NodeProcess agent = lab.startAgentProcess("agent-1", Map.of()).awaitReady();
    awaitServed("red", PATIENCE);
    assertThat(agent.log())
        .anySatisfy(line ->
            assertThat(line)
                .contains("list and watch of udproutes.gateway.networking.k8s.io are forbidden"));
    assertThat(agent.metric("penstock_agent_kubernetes_watches_broken")).isOne();
    api.forgive();
    await("all are watched")
        .atMost(PATIENCE)
        .until(() -> agent.metric("penstock_agent_kubernetes_watches_broken") == 0);
  }
}
