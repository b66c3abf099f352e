package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.testkit.EchoService.Behaviour;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Nodes are restarted by SIGTERM one after the other, and nobody notices: neither clients that
/// come through a load balancer (HAProxy, which asks `/readyz`) nor those that come to the other
/// nodes.
@Timeout(value = 600, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RollingRestartSystemTest {
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(30));
  private static final int NODES = 3;
  private static final int DIRECT_CLIENTS = 3;
  private static final Duration DIRECT_LENGTH = Duration.ofSeconds(2);

  @TempDir Path directory;
  private ClusterLab lab;

  @BeforeEach
  void start() throws Exception {
    lab =
        ClusterLab.in(directory, NODES)
            .withoutCuts()
            .expose("echo", EchoService.start(Behaviour.echo()));
    lab.start();
    lab.startAgent(0);
    await("links at two nodes").atMost(PATIENCE).until(() -> lab.nodesWithLinks().size() == 2);
    for (int node = 0; node < NODES; node++) {
      int at = node;
      await("node " + at + " serves").atMost(PATIENCE).until(() -> lab.echoes(at, "echo"));
    }
  }

  @AfterEach
  void end() {
    lab.close();
  }

  @Test
  void nobodyNoticesThatANodeIsRestarted() throws Exception {
    restart(List.of(lab.nodesWithLinks().getFirst()), 20, Duration.ofSeconds(3));
  }

  @Test
  @Tag("long")
  void nobodyNoticesThatAllNodesAreRestarted() throws Exception {
    restart(List.of(0, 1, 2), 50, Duration.ofSeconds(20));
  }

  private void restart(List<Integer> nodes, int clients, Duration longest) throws Exception {
    try (RealServer balancer = RealServer.balancer(lab, "echo");
        EchoClients through = EchoClients.start(List.of(addressOf(balancer)), clients, longest)) {
      await().atMost(PATIENCE).until(() -> through.answers() > 10 * clients);
      for (int node : nodes) {
        restart(node, longest);
        assertThat(through.failures()).as(lab::report).isEmpty();
      }
      int before = through.ended();
      await().atMost(PATIENCE).until(() -> through.ended() > before + clients);
      through.end();
      System.out.printf("restart of %s, through the balancer: %s%n", nodes, through);
      assertThat(through.failures()).as(lab::report).isEmpty();
    }
  }

  private void restart(int node, Duration longest) throws Exception {
    var others =
        IntStream.range(0, NODES)
            .filter(other -> other != node)
            .mapToObj(other -> lab.publicAddress(other, "echo"))
            .toList();
    try (EchoClients direct = EchoClients.start(others, DIRECT_CLIENTS, DIRECT_LENGTH)) {
      long begun = System.nanoTime();
      lab.node(node).signal("TERM");
      assertThat(lab.node(node).awaitExit(PATIENCE.plus(longest))).as(lab::report).isZero();
      long ended = System.nanoTime();
      lab.startNode(node).awaitReady();
      assertThat(lab.echoes(node, "echo")).as("serves when it is ready%n%s", lab.report()).isTrue();
      long ready = System.nanoTime();
      int before = direct.ended();
      await().atMost(PATIENCE).until(() -> direct.ended() > before + others.size());
      direct.end();
      System.out.printf(
          "node %d left in %d ms and was ready again after %d ms; clients of the others: %s%n",
          node,
          Duration.ofNanos(ended - begun).toMillis(),
          Duration.ofNanos(ready - ended).toMillis(),
          direct);
      assertThat(direct.failures()).as(lab::report).isEmpty();
    }
  }

  private static InetSocketAddress addressOf(RealServer server) {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port());
  }
}
