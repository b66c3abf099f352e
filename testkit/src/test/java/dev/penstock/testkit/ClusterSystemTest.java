package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Gateways in processes of their own form a cluster, lose nodes and links, and get them back.
@Timeout(300)
class ClusterSystemTest {
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(30));

  @TempDir Path directory;

  @Test
  void threeNodesFormOneClusterAndGoOnWithoutAKilledOne() throws Exception {
    try (var lab = ClusterLab.in(directory, 3).start()) {
      awaitSeen(lab, 0, "ready", 3);
      awaitSeen(lab, 1, "ready", 3);
      awaitSeen(lab, 2, "ready", 3);
      assertThat(lab.node(1).status("/cluster")).isEqualTo(200);

      lab.node(2).kill();
      awaitSeen(lab, 0, "unreachable", 1);
      assertThat(lab.sees(0, "ready")).isEqualTo(2);
      awaitSeen(lab, 0, "unreachable", 0);

      lab.startNode(2).awaitReady();
      awaitSeen(lab, 0, "ready", 3);

      assertThat(lab.node(1).terminate()).isZero();
      awaitSeen(lab, 0, "ready", 2);
      assertThat(lab.sees(0, "unreachable")).isZero();
    }
  }

  @Test
  @Tag("long")
  void aNodeThatIsPausedIsGivenNothingAndIsBackAfterwards() throws Exception {
    try (var lab = ClusterLab.in(directory, 3).withCluster("down_after: 10m").start()) {
      awaitSeen(lab, 0, "ready", 3);
      lab.node(2).pause();
      awaitSeen(lab, 0, "unreachable", 1);
      lab.node(2).resume();
      awaitSeen(lab, 0, "ready", 3);
    }
  }

  @Test
  @Tag("long")
  void theSmallerPartEndsAndTheOtherGoesOn() throws Exception {
    try (var lab = ClusterLab.in(directory, 3).withCluster("down_after: 2s").start()) {
      awaitSeen(lab, 0, "ready", 3);
      lab.isolate(2);
      awaitSeen(lab, 0, "unreachable", 1);
      assertThat(lab.node(2).awaitExit()).as(lab::report).isEqualTo(1);
      assertThat(lab.node(2).log()).anyMatch(line -> line.contains("cannot go on"));
      awaitSeen(lab, 0, "unreachable", 0);
      assertThat(lab.sees(1, "ready")).isEqualTo(2);
      lab.healAll();
      lab.startNode(2).awaitReady();
      awaitSeen(lab, 1, "ready", 3);
    }
  }

  @Test
  void aFirstSeedThatIsCutOffFormsNoClusterOfItsOwn() throws Exception {
    try (var lab = ClusterLab.in(directory, 3).withCluster("down_after: 2s").start()) {
      awaitSeen(lab, 1, "ready", 3);
      lab.isolate(0);
      lab.node(0).kill();
      awaitSeen(lab, 1, "ready", 2);
      awaitSeen(lab, 1, "unreachable", 0);

      var cutOff = lab.startNode(0);
      await("it is told that others live")
          .atMost(PATIENCE)
          .until(() ->
              cutOff.log().stream()
                  .anyMatch(line ->
                      line.contains("This node forms no cluster of its own for now")
                          && line.contains("nodes of the cluster live")));
      await()
          .during(Duration.ofSeconds(8))
          .atMost(PATIENCE)
          .until(() -> !cutOff.isReady() && lab.sees(1, "ready") == 2);

      lab.healAll();
      cutOff.awaitReady();
      awaitSeen(lab, 0, "ready", 3);
      awaitSeen(lab, 2, "ready", 3);
    }
  }

  @Test
  void aNodeThatIsGivenUpBeforeItIsReadyEndsToo() throws Exception {
    try (var lab = ClusterLab.in(directory, 3).withCluster("down_after: 2s").start()) {
      awaitSeen(lab, 0, "ready", 3);
      lab.node(2).kill();
      awaitSeen(lab, 0, "ready", 2);
      var node = lab.startNode(2);
      await("node 2 is a member, and not yet ready if that was seen in time")
          .atMost(PATIENCE)
          .pollInterval(Duration.ofMillis(10))
          .until(() -> lab.sees(0, "starting") == 1 || node.isReady());
      lab.isolate(2);
      assertThat(node.awaitExit()).as(lab::report).isEqualTo(1);
    }
  }

  private static void awaitSeen(ClusterLab lab, int node, String state, int count) {
    await("node " + node + " sees " + count + " " + state)
        .atMost(PATIENCE)
        .until(() -> lab.sees(node, state) == count);
  }
}
