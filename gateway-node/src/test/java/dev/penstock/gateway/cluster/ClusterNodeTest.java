package dev.penstock.gateway.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.penstock.config.HostPort;
import dev.penstock.config.Secret;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.apache.pekko.coordination.lease.javadsl.Lease;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(120)
class ClusterNodeTest {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  @TempDir Path files;

  private final List<TestNode> nodes = new ArrayList<>();
  private final HostPort first = TestNode.address();

  @AfterEach
  void end() {
    nodes.reversed().forEach(TestNode::close);
  }

  private TestNode start(HostPort listen) throws Exception {
    return start(listen, UnaryOperator.identity());
  }

  private TestNode start(HostPort listen, UnaryOperator<ClusterSettings> changed) throws Exception {
    var node = TestNode.start(listen, List.of(first), changed);
    nodes.add(node);
    return node;
  }

  private TestNode startReady(HostPort listen) throws Exception {
    var node = start(listen);
    node.node.up().toCompletableFuture().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    node.node.announce(NodeState.READY);
    return node;
  }

  @Test
  void everyNodeIsToldOfEveryOther() throws Exception {
    var one = startReady(first);
    var two = startReady(TestNode.address());
    var three = startReady(TestNode.address());
    for (TestNode node : nodes) {
      await()
          .atMost(PATIENCE)
          .untilAsserted(() ->
              assertThat(node.states())
                  .isEqualTo(
                      Map.of(
                          one.settings.listen(), NodeState.READY,
                          two.settings.listen(), NodeState.READY,
                          three.settings.listen(), NodeState.READY)));
      assertThat(node.node.nodes().self().id().address()).isEqualTo(node.settings.listen());
      assertThat(node.node.nodes().ready())
          .extracting(NodeInfo::relay)
          .containsExactlyInAnyOrder(
              one.settings.relay(), two.settings.relay(), three.settings.relay());
      assertThat(node.node.notReadyBecause()).isEmpty();
    }
    assertThat(three.node.nodes().find(one.node.nodes().self().id()))
        .contains(one.node.nodes().self());
    assertThat(three.metric("penstock_gateway_cluster_nodes", "ready")).isEqualTo(3);
    assertThat(one.node.status())
        .contains("\"name\" : \"lab\"", "\"status\" : \"up\"", "\"state\" : \"ready\"");
  }

  @Test
  void linksAreToldWhereTheyAreAndNoLongerWhenTheyAreGone() throws Exception {
    var one = startReady(first);
    var two = startReady(TestNode.address());
    one.links("lab", 2, 5);
    await()
        .atMost(PATIENCE)
        .untilAsserted(() ->
            assertThat(two.node.nodes().withLinks("lab"))
                .singleElement()
                .satisfies(linked -> {
                  assertThat(linked.node().id()).isEqualTo(one.node.nodes().self().id());
                  assertThat(linked.links()).isEqualTo(2);
                  assertThat(linked.outstanding()).isEqualTo(5);
                  assertThat(linked.kubernetes()).isEqualTo("uid-of-lab");
                }));
    // A node's own links are not among the others'.
    assertThat(one.node.nodes().withLinks("lab")).isEmpty();
    assertThat(two.node.nodes().withLinks("other")).isEmpty();
    one.links("lab", 0, 0);
    await().atMost(PATIENCE).until(() -> two.node.nodes().withLinks("lab").isEmpty());
  }

  @Test
  void manyClustersAreToldToANodeThatJoinsLater() throws Exception {
    var one = startReady(first);
    for (int i = 0; i < 10_000; i++) {
      one.links("cluster-" + i, 1, i);
    }
    var two = startReady(TestNode.address());
    await()
        .atMost(PATIENCE)
        .until(() -> {
          for (int i = 0; i < 10_000; i++) {
            if (two.node.nodes().withLinks("cluster-" + i).isEmpty()) {
              return false;
            }
          }
          return true;
        });
    assertThat(two.node.nodes().withLinks("cluster-9999").getFirst().outstanding())
        .isBetween(9999 * 7 / 8, 9999);
  }

  @Test
  void aNodeThatDrainsComesAfterThoseThatAreReady() throws Exception {
    var one = startReady(first);
    var two = startReady(TestNode.address());
    var three = startReady(TestNode.address());
    one.links("lab", 1, 0);
    two.links("lab", 1, 0);
    var seen = new CopyOnWriteArrayList<List<NodeInfo>>();
    three.node.nodes().subscribe(seen::add);
    await().atMost(PATIENCE).until(() -> three.node.nodes().withLinks("lab").size() == 2);
    one.node.announce(NodeState.DRAINING);
    await()
        .atMost(PATIENCE)
        .untilAsserted(() ->
            assertThat(three.node.nodes().withLinks("lab"))
                .extracting(it -> it.node().state())
                .containsExactly(NodeState.READY, NodeState.DRAINING));
    assertThat(three.node.nodes().ready()).hasSize(2);
    assertThat(seen).last().isEqualTo(three.node.nodes().all());
  }

  @Test
  void aNodeThatLeavesIsGoneWithItsLinks() throws Exception {
    var one = startReady(first);
    var two = startReady(TestNode.address());
    two.links("lab", 1, 0);
    await().atMost(PATIENCE).until(() -> !one.node.nodes().withLinks("lab").isEmpty());
    nodes.remove(two);
    two.close();
    await().atMost(PATIENCE).until(() -> one.node.nodes().all().size() == 1);
    assertThat(one.node.nodes().withLinks("lab")).isEmpty();
    assertThat(one.metric("penstock_gateway_cluster_unreachable_total", "")).isZero();
  }

  @Test
  void aNodeWithoutASeedKeepsLookingAndSaysSo() throws Exception {
    var lonely = start(TestNode.address());
    assertThat(lonely.node.notReadyBecause())
        .containsExactly("joining the cluster lab through the seeds [" + first + "]");
    startReady(first);
    await().atMost(PATIENCE).until(() -> lonely.node.notReadyBecause().isEmpty());
  }

  @Test
  void aFirstSeedThatReachesNobodyFormsNoClusterWhileTheDatabaseSaysThatOneLives()
      throws Exception {
    var pulses = new MemoryPulses();
    var living = started(TestNode.alone(first, pulses));
    await().atMost(PATIENCE).until(() -> pulses.all().size() == 1);
    var cutOff = TestNode.alone(TestNode.address(), pulses);
    nodes.add(cutOff);
    await()
        .atMost(PATIENCE)
        .untilAsserted(() ->
            assertThat(cutOff.node.notReadyBecause())
                .singleElement()
                .asString()
                .endsWith("; nodes of the cluster live, says the database, at [" + first + "]"));
    // Longer than it takes to form one, and than until a sign that does not change says nothing.
    await()
        .during(PulseKeeper.QUIET.plusSeconds(4))
        .atMost(PATIENCE)
        .until(() -> !cutOff.node.up().toCompletableFuture().isDone());
    nodes.remove(living);
    living.close();
    assertThat(pulses.all())
        .extracting(Pulse::node)
        .doesNotContain(living.node.nodes().self().id());
    cutOff.node.up().toCompletableFuture().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    assertThat(cutOff.node.notReadyBecause()).isEmpty();
  }

  @Test
  void aNodeThatWasKilledIsWaitedForAndThenDoneWithout() throws Exception {
    var pulses = new MemoryPulses();
    var killed = new NodeId(TestNode.address(), 7);
    pulses.write(new Pulse(killed, new Founding(3, killed.toString()), 99));
    var node = TestNode.alone(first, pulses);
    nodes.add(node);
    assertThat(node.node.up().toCompletableFuture()).isNotDone();
    node.node.up().toCompletableFuture().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    var self = node.node.nodes().self().id();
    await()
        .atMost(PATIENCE)
        .untilAsserted(() ->
            assertThat(pulses.all())
                .filteredOn(it -> it.node().equals(self))
                .extracting(Pulse::founding)
                .containsExactly(new Founding(4, self.toString())));
  }

  @Test
  void nobodyFormsAClusterWhileTheDatabaseDoesNotAnswer() throws Exception {
    var pulses = new MemoryPulses();
    pulses.away(true);
    var node = TestNode.alone(first, pulses);
    nodes.add(node);
    await()
        .atMost(PATIENCE)
        .untilAsserted(() ->
            assertThat(node.node.notReadyBecause())
                .singleElement()
                .asString()
                .endsWith("the database does not tell whether a node of the cluster lives: away"));
    pulses.away(false);
    node.node.up().toCompletableFuture().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
  }

  @Test
  void ofTwoClustersOnOneDatabaseTheSmallerEnds() throws Exception {
    var shared = new MemoryPulses();
    var one = started(TestNode.over(shared, first, List.of(first)));
    var two = started(TestNode.over(shared, TestNode.address(), List.of(first)));
    await()
        .atMost(PATIENCE)
        .untilAsserted(() ->
            assertThat(shared.all())
                .extracting(Pulse::founding)
                .containsExactly(
                    new Founding(1, one.node.nodes().self().id().toString()),
                    new Founding(1, one.node.nodes().self().id().toString())));
    // As if the others had been silent when it was formed.
    var seen = new MemoryPulses();
    var smaller = started(TestNode.alone(TestNode.address(), seen));
    seen.become(shared);
    assertThat(smaller.node.ended().toCompletableFuture().get(60, TimeUnit.SECONDS))
        .contains("has more nodes", first.toString());
    assertThat(one.node.notReadyBecause()).isEmpty();
    assertThat(two.node.notReadyBecause()).isEmpty();
  }

  private TestNode started(TestNode node) throws Exception {
    nodes.add(node);
    node.node.up().toCompletableFuture().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    return node;
  }

  @Test
  void theLeaseInTheDatabaseCanDecideWhichPartLivesOn() throws Exception {
    var node =
        start(
            first,
            it ->
                new ClusterSettings(
                    it.name(),
                    it.listen(),
                    it.bind(),
                    it.relay(),
                    it.relayBind(),
                    it.seeding(),
                    it.secret(),
                    it.tls(),
                    SplitBrain.LEASE_MAJORITY,
                    it.unreachableAfter(),
                    it.downAfter(),
                    it.leaveTimeout(),
                    it.appVersion()));
    node.node.up().toCompletableFuture().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    var config = node.system.actors().settings().config();
    String resolver = "pekko.cluster.split-brain-resolver.";
    assertThat(config.getString(resolver + "active-strategy")).isEqualTo("lease-majority");
    String lease = config.getString(resolver + "lease-majority.lease-implementation");
    assertThat(Class.forName(config.getString(lease + ".lease-class"))).isAssignableTo(Lease.class);
  }

  @Test
  void anotherSecretIsRefusedWithTheReasonAndCounted() throws Exception {
    var one = startReady(first);
    var stranger =
        start(
            TestNode.address(),
            settings -> with(settings, settings.name(), Secret.of("another secret of nodes")));
    assertRefused(stranger);
    // Itself, once its own entry has come round, and nobody else.
    await().atMost(PATIENCE).until(() -> one.node.nodes().all().size() == 1);
    await()
        .atMost(PATIENCE)
        .until(() -> one.metric("penstock_gateway_cluster_joins_refused_total", "") > 0);
  }

  @Test
  void anotherClusterNameIsRefused() throws Exception {
    startReady(first);
    assertRefused(
        start(TestNode.address(), settings -> with(settings, "other", settings.secret())));
  }

  @Test
  void aReleaseThatSpeaksNoVersionOfOursIsRefusedAndHarmsNobody() throws Exception {
    var one = startReady(first);
    var stranger = TestNode.ofRelease(9, TestNode.address(), List.of(first));
    nodes.add(stranger);
    assertRefused(stranger);
    await()
        .atMost(PATIENCE)
        .until(() -> one.metric("penstock_gateway_cluster_joins_refused_total", "") > 0);
    startReady(TestNode.address());
    await().atMost(PATIENCE).until(() -> one.node.nodes().all().size() == 2);
  }

  private static void assertRefused(TestNode stranger) {
    assertThatThrownBy(() ->
            stranger.node.up().toCompletableFuture().get(PATIENCE.toSeconds(), TimeUnit.SECONDS))
        .isInstanceOf(ExecutionException.class)
        .hasRootCauseInstanceOf(IOException.class)
        .hasStackTraceContaining("the cluster refused this node");
  }

  @ParameterizedTest
  @CsvSource({
    "foreign, 474554202f20485454502f312e310d0a0d0a",
    "foreign, 1603010200",
    "foreign, 414b4b4109",
    "foreign, 41",
    "too_long, 414b4b4101ffffff7f",
    "timed_out, ''",
  })
  void aForeignProgramIsCutAndCountedAndHarmsNobody(String reason, String hex) throws Exception {
    var one = startReady(first);
    var two = startReady(TestNode.address());
    try (var socket = new Socket(first.host(), first.port())) {
      socket.setSoTimeout(60_000);
      socket.getOutputStream().write(HexFormat.of().parseHex(hex));
      if (hex.length() == 2) {
        socket.shutdownOutput();
      }
      assertThat(socket.getInputStream().read()).isEqualTo(-1);
    } catch (IOException reset) {
      // As good as an end.
    }
    await()
        .atMost(PATIENCE)
        .untilAsserted(() ->
            assertThat(one.metric("penstock_gateway_cluster_rejected_total", reason)).isEqualTo(1));
    two.links("lab", 1, 1);
    await().atMost(PATIENCE).until(() -> !one.node.nodes().withLinks("lab").isEmpty());
  }

  @Test
  void oneWhoOnlyAsksWhetherSomebodyListensIsNotCounted() throws Exception {
    var one = startReady(first);
    new Socket(first.host(), first.port()).close();
    startReady(TestNode.address());
    assertThat(one.metric("penstock_gateway_cluster_rejected_total", "")).isZero();
  }

  @Test
  void withTlsOnlyNodesOfTheAuthorityTakePart() throws Exception {
    X509Bundle authority = newAuthority("CN=ours");
    X509Bundle foreign = newAuthority("CN=theirs");
    ClusterSettings.Tls ours = issued(authority, authority, "ours");
    var one = start(first, settings -> over(settings, ours));
    one.node.up().toCompletableFuture().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    var inTheClear = start(TestNode.address());
    var stranger =
        start(TestNode.address(), settings -> over(settings, issued(foreign, authority, "theirs")));
    var two = start(TestNode.address(), settings -> over(settings, ours));
    two.node.up().toCompletableFuture().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    await().atMost(PATIENCE).until(() -> one.node.nodes().all().size() == 2);
    await()
        .atMost(PATIENCE)
        .untilAsserted(() -> {
          assertThat(one.metric("penstock_gateway_cluster_rejected_total", "foreign")).isPositive();
          assertThat(one.metric("penstock_gateway_cluster_rejected_total", "not_authenticated"))
              .isPositive();
        });
    // Both had as long as the one that was let in, and a try each.
    await()
        .during(Duration.ofSeconds(4))
        .atMost(PATIENCE)
        .until(() ->
            !inTheClear.node.notReadyBecause().isEmpty()
                && !stranger.node.notReadyBecause().isEmpty()
                && one.node.nodes().all().size() == 2);
  }

  private static X509Bundle newAuthority(String name) throws Exception {
    return new CertificateBuilder()
        .subject(name)
        .setIsCertificateAuthority(true)
        .rsa2048()
        .buildSelfSigned();
  }

  private ClusterSettings.Tls issued(X509Bundle by, X509Bundle trusted, String name) {
    try {
      X509Bundle own =
          new CertificateBuilder()
              .subject("CN=penstock-node")
              .addSanDnsName("penstock-node")
              .rsa2048()
              .buildIssuedBy(by);
      return new ClusterSettings.Tls(
          Files.writeString(files.resolve(name + ".crt"), own.getCertificatePEM()),
          Files.writeString(files.resolve(name + ".key"), own.getPrivateKeyPEM()),
          Files.writeString(files.resolve(name + ".ca"), trusted.getRootCertificatePEM()));
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  private static ClusterSettings over(ClusterSettings it, ClusterSettings.Tls tls) {
    return new ClusterSettings(
        it.name(),
        it.listen(),
        it.bind(),
        it.relay(),
        it.relayBind(),
        it.seeding(),
        it.secret(),
        tls,
        it.splitBrain(),
        it.unreachableAfter(),
        it.downAfter(),
        it.leaveTimeout(),
        it.appVersion());
  }

  private static ClusterSettings with(ClusterSettings it, String name, Secret secret) {
    return new ClusterSettings(
        name,
        it.listen(),
        it.bind(),
        it.relay(),
        it.relayBind(),
        it.seeding(),
        secret,
        it.tls(),
        it.splitBrain(),
        it.unreachableAfter(),
        it.downAfter(),
        it.leaveTimeout(),
        it.appVersion());
  }
}
