package dev.penstock.gateway.leases.sharded;

import static dev.penstock.gateway.leases.sharded.LeaseCluster.exactly;
import static dev.penstock.gateway.leases.sharded.LeaseCluster.near;
import static dev.penstock.gateway.leases.sharded.LeaseCluster.request;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.penstock.config.PortRange;
import dev.penstock.gateway.leases.Lease;
import dev.penstock.gateway.leases.LeaseAuthority.Answer;
import dev.penstock.gateway.leases.LeaseAuthority.Release;
import dev.penstock.gateway.leases.LeasePolicy;
import dev.penstock.gateway.leases.LeaseRequest;
import dev.penstock.gateway.leases.LeaseResult;
import dev.penstock.gateway.leases.PortWish;
import dev.penstock.gateway.leases.Quota;
import dev.penstock.gateway.leases.Reservation;
import dev.penstock.gateway.leases.Reserving;
import dev.penstock.gateway.leases.StoreSettings;
import dev.penstock.gateway.leases.Transport;
import dev.penstock.gateway.leases.TunnelIdentity;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.h2.tools.Server;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShardedLeasesTest {
  private static final Duration PATIENCE = Duration.ofSeconds(90);

  /// Less than a hand-over that nobody answers would take.
  private static final Duration SOON = Duration.ofSeconds(10);

  @TempDir Path directory;

  private String file() {
    return "jdbc:h2:file:" + directory.resolve("leases") + ";AUTO_SERVER=FALSE";
  }

  private static String memory(String name) {
    return "jdbc:h2:mem:" + name + ";DB_CLOSE_DELAY=-1";
  }

  @Test
  void aTunnelHasTheSamePortThroughEveryNodeAndEveryNodeKnowsIt() throws Exception {
    try (var cluster = new LeaseCluster(memory("same"))) {
      var one = cluster.start().follow();
      var two = cluster.start().follow();
      int port = one.port(near("lab", "redis", 6379));
      assertThat(port).isEqualTo(16_379);
      assertThat(two.port(near("lab", "redis", 1))).isEqualTo(port);
      assertThat(two.port(near("shop", "redis", 6379))).isEqualTo(16_380);
      await()
          .atMost(PATIENCE)
          .untilAsserted(() -> {
            assertThat(one.complete && two.complete).isTrue();
            assertThat(one.table).hasSize(2).isEqualTo(two.table);
          });
      assertThat(two.release(new TunnelIdentity("lab", "redis"))).isInstanceOf(Release.Done.class);
      await()
          .atMost(PATIENCE)
          .untilAsserted(() -> assertThat(one.table).hasSize(1).isEqualTo(two.table));
    }
  }

  @Test
  void aNodeIsToldOfTunnelsThatItMissedTheBeginningAndTheEndOf() throws Exception {
    try (var cluster = new LeaseCluster(memory("missed"))) {
      var node = cluster.start();
      node.port(near("lab", "kept", 6380));
      var answer = (Answer.Decided) node.lease(near("lab", "redis", 6379));
      var tunnel = ((LeaseResult.Granted) answer.result()).tunnel();
      node.follow();
      await().atMost(PATIENCE).until(() -> node.complete);
      assertThat(node.wholes).noneMatch(whole -> whole.ends(tunnel, answer.revision()));
      assertThat(node.release(tunnel.identity())).isInstanceOf(Release.Done.class);
      var late = cluster.start().follow();
      await().atMost(PATIENCE).until(() -> late.complete);
      assertThat(late.wholes).anyMatch(whole -> whole.ends(tunnel, answer.revision()));
      assertThat(late.table.keySet()).containsExactly(new TunnelIdentity("lab", "kept"));
    }
  }

  @Test
  void aNodeThatIsAboutToLeaveDecidesNothingMoreAndGoesOnAsking() throws Exception {
    try (var cluster = new LeaseCluster(memory("leaving"))) {
      var leaving = cluster.start().follow();
      var staying = cluster.start().follow();
      await().atMost(PATIENCE).until(() -> leaving.complete && staying.complete);
      var ports = new HashSet<Integer>();
      for (int i = 0; i < 20; i++) {
        ports.add(leaving.port(near("tenant-" + i, "redis", 6379)));
      }
      assertThat(leaving.shards()).isPositive();
      leaving.announceLeaving();
      assertThat(leaving.leases.handOver().toCompletableFuture()).succeedsWithin(PATIENCE);
      assertThat(leaving.shards()).isZero();
      ports.add(leaving.port(near("late", "redis", 6379)));
      assertThat(ports).hasSize(21);
      assertThat(leaving.shards()).isZero();
      await()
          .atMost(PATIENCE)
          .untilAsserted(() -> {
            assertThat(leaving.table).hasSize(21).isEqualTo(staying.table);
          });
    }
  }

  @Test
  void aNodeThatNobodyCanTakeOverFromLeavesAtOnce() throws Exception {
    try (var cluster = new LeaseCluster(memory("last"))) {
      var node = cluster.start();
      node.port(near("lab", "redis", 6379));
      node.announceLeaving();
      assertThat(node.leases.handOver().toCompletableFuture()).succeedsWithin(SOON);
      assertThat(node.port(near("lab", "web", 6379))).isEqualTo(16_380);
    }
  }

  @Test
  void aReleasedPortIsKeptForItsTunnelUntilTheRetentionIsOver() throws Exception {
    try (var cluster = new LeaseCluster(memory("retention"))) {
      var node = cluster.start();
      node.port(near("lab", "redis", 6379));
      node.release(new TunnelIdentity("lab", "redis"));
      assertThat(node.decided(exactly("shop", "cache", 16_379)))
          .isEqualTo(
              new LeaseResult.Conflict(
                  "public port: 16379 is kept for a tunnel that was deregistered a while ago"
                      + " (expected: a free port of 10000-35000, or none to be given one)"));
      assertThat(node.port(near("shop", "cache", 6379))).isEqualTo(16_380);
      var again = node.granted(near("lab", "redis", 6379));
      assertThat(again.lease().port()).isEqualTo(16_379);
      assertThat(again.lease().fencing()).isGreaterThan(1);
      node.release(new TunnelIdentity("lab", "redis"));
      cluster.pass(LeaseCluster.RETENTION);
      assertThat(node.port(exactly("shop", "other", 16_379))).isEqualTo(16_379);
      assertThat(node.port(near("lab", "redis", 6379))).isEqualTo(16_381);
    }
  }

  @Test
  void whatATenantMayHaveIsBoundedByItsPortsItsQuotaAndOthersReservations() throws Exception {
    var policy =
        new LeasePolicy(
            LeaseCluster.RANGE,
            Quota.ofTunnels(100),
            List.of(new LeasePolicy.Tenant("lab", List.of(new PortRange(20_000, 20_002)), 3)),
            List.of(new LeasePolicy.Reservation("shop", new PortRange(16_379, 16_379))));
    try (var cluster = new LeaseCluster(memory("bounds"), policy)) {
      var node = cluster.start();
      assertThat(node.port(near("other", "redis", 6379))).isEqualTo(16_380);
      assertThat(node.port(near("shop", "redis", 6379))).isEqualTo(16_379);
      assertThat(node.port(near("lab", "a", 6379))).isEqualTo(20_000);
      assertThat(node.decided(exactly("lab", "b", 16_381)))
          .isEqualTo(
              new LeaseResult.Conflict(
                  "public port: 16381 is not for this cluster (expected: one of 20000-20002)"));
      assertThat(node.decided(exactly("lab", "b", 20_000)))
          .isEqualTo(
              new LeaseResult.Conflict(
                  "public port: 20000 is taken by this cluster's tunnel a (expected: a free port of"
                      + " 20000-20002, or none to be given one)"));
      node.port(near("lab", "b", 1));
      node.port(near("lab", "c", 1));
      assertThat(node.decided(near("lab", "d", 1))).isInstanceOf(LeaseResult.OverQuota.class);
      assertThat(node.decided(exactly("other", "x", 16_379)))
          .isInstanceOf(LeaseResult.Conflict.class)
          .extracting(Object::toString)
          .asString()
          .doesNotContain("shop");
    }
  }

  @Test
  void aPortThatAnOperatorReservesIsForOneTenantOnlyAtEveryNodeAndLasts() throws Exception {
    var policy =
        new LeasePolicy(
            LeaseCluster.RANGE,
            Quota.ofTunnels(100),
            List.of(new LeasePolicy.Tenant("lab", List.of(new PortRange(20_000, 20_002)), 3)),
            List.of(new LeasePolicy.Reservation("shop", new PortRange(16_380, 16_380))));
    var reservation = new Reservation(Transport.TCP, 16_379, "lab");
    try (var cluster = new LeaseCluster(file(), policy)) {
      var one = cluster.start();
      var two = cluster.start();
      assertThat(reserving(one.leases.reserve(reservation))).isInstanceOf(Reserving.Done.class);
      assertThat(two.decided(exactly("shop", "redis", 16_379)))
          .isInstanceOf(LeaseResult.Conflict.class);
      assertThat(two.port(near("other", "redis", 6379))).isEqualTo(16_381);
      assertThat(reserving(two.leases.reserve(new Reservation(Transport.TCP, 16_381, "lab"))))
          .isEqualTo(
              new Reserving.Conflict(
                  "public port: 16381 is taken by another cluster's tunnel (expected: a port that"
                      + " nobody else has, or that is released first)"));
      assertThat(reserving(two.leases.reserve(new Reservation(Transport.TCP, 16_380, "lab"))))
          .isInstanceOf(Reserving.Conflict.class);
      assertThat(reserving(two.leases.reserve(new Reservation(Transport.UDP, 80, "lab"))))
          .isInstanceOf(Reserving.Conflict.class);
      assertThat(one.port(exactly("lab", "redis", 16_379))).isEqualTo(16_379);
    }
    try (var cluster = new LeaseCluster(file(), policy)) {
      var node = cluster.start();
      assertThat(reserving(node.leases.reservations()))
          .isEqualTo(new Reserving.Done(List.of(reservation)));
      assertThat(reserving(node.leases.unreserve(Transport.TCP, 16_379)))
          .isEqualTo(new Reserving.Done(List.of()));
      node.release(new TunnelIdentity("lab", "redis"));
      cluster.pass(LeaseCluster.RETENTION);
      assertThat(node.port(exactly("shop", "redis", 16_379))).isEqualTo(16_379);
    }
  }

  private static Reserving reserving(CompletionStage<Reserving> answer) throws Exception {
    return answer.toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  @Test
  void aPortThatASystemRefusesIsGivenToNobodyButByNumber() throws Exception {
    try (var cluster = new LeaseCluster(memory("refused"))) {
      var node = cluster.start();
      var granted = node.granted(near("lab", "redis", 6379));
      node.leases.refusedBySystem(granted, null).toCompletableFuture().get();
      assertThat(node.port(near("lab", "redis", 6379))).isEqualTo(16_380);
      assertThat(node.port(exactly("shop", "redis", 16_379))).isEqualTo(16_379);
    }
  }

  @Test
  void aTunnelWithoutAPortMovesToTheBlockOfThePortItWantsLater() throws Exception {
    try (var cluster = new LeaseCluster(memory("moves"))) {
      var node = cluster.start().follow();
      var direct = node.granted(request("lab", "web", new PortWish.None()));
      assertThat(direct.lease()).isNull();
      assertThat(node.port(exactly("lab", "web", 34_999))).isEqualTo(34_999);
      await()
          .atMost(PATIENCE)
          .untilAsserted(() ->
              assertThat(node.table.get(new TunnelIdentity("lab", "web")).tunnel().lease())
                  .isNotNull());
      assertThat(node.port(request("lab", "web", new PortWish.None()))).isEqualTo(34_999);
    }
  }

  @Test
  void theLossOfANodeLosesNoLeaseAndTheOthersGoOn() throws Exception {
    try (var cluster = new LeaseCluster(memory("loss"))) {
      var one = cluster.start().follow();
      var two = cluster.start().follow();
      var three = cluster.start().follow();
      var ports = new ArrayList<Integer>();
      for (int i = 0; i < 40; i++) {
        ports.add(one.port(near("tenant" + i % 7, "t" + i, 100 * i + 1)));
      }
      two.kill();
      for (int i = 0; i < 40; i++) {
        assertThat(three.port(near("tenant" + i % 7, "t" + i, 1))).isEqualTo(ports.get(i));
      }
      assertThat(one.port(near("tenant1", "new", 30_000 - 10_000))).isEqualTo(30_000);
      await()
          .atMost(PATIENCE)
          .untilAsserted(() -> {
            assertThat(one.table).hasSize(41);
            assertThat(three.table).isEqualTo(one.table);
          });
    }
  }

  @Test
  void everythingIsThereAgainAfterARestart() throws Exception {
    int port;
    try (var cluster = new LeaseCluster(file())) {
      port = cluster.start().port(near("lab", "redis", 6379));
    }
    try (var cluster = new LeaseCluster(file())) {
      var node = cluster.start().follow();
      await().atMost(PATIENCE).until(() -> node.complete);
      assertThat(node.table.keySet()).containsExactly(new TunnelIdentity("lab", "redis"));
      assertThat(node.port(near("lab", "redis", 1))).isEqualTo(port);
    }
  }

  @Test
  void whileTheStoreIsAwayNothingIsGrantedAndNothingIsLost() throws Exception {
    var server = Server.createTcpServer("-tcpPort", "0", "-ifNotExists").start();
    int tcp = server.getPort();
    String url = "jdbc:h2:tcp://127.0.0.1:" + tcp + "/" + directory.resolve("away");
    try (var cluster = new LeaseCluster(url)) {
      var node = cluster.start().follow();
      int port = node.port(near("lab", "redis", 6379));
      await().atMost(PATIENCE).until(() -> node.table.size() == 1 && node.complete);
      server.stop();
      var answer = node.lease(near("lab", "other", 6379));
      assertThat(answer).isInstanceOf(Answer.Unavailable.class);
      assertThat(((Answer.Unavailable) answer).away().retryAfter()).isPositive();
      assertThat(node.release(new TunnelIdentity("lab", "redis")))
          .isInstanceOf(Release.Unavailable.class);
      assertThat(node.table).hasSize(1);
      server = Server.createTcpServer("-tcpPort", Integer.toString(tcp)).start();
      assertThat(node.port(near("lab", "redis", 6379))).isEqualTo(port);
      assertThat(node.port(near("lab", "other", 6379))).isEqualTo(port + 1);
    } finally {
      server.stop();
    }
  }

  @Test
  void whatCouldNotBeWrittenDownIsForgotten() throws Exception {
    String url = memory("unwritten");
    try (var cluster = new LeaseCluster(url)) {
      var node = cluster.start().follow();
      execute(
          url,
          "ALTER TABLE \"penstock_event\" ADD CONSTRAINT unwritable CHECK"
              + " (\"persistence_id\" NOT LIKE 'penstock-ports%') NOCHECK");
      assertThat(node.lease(near("lab", "redis", 6379))).isInstanceOf(Answer.Unavailable.class);
      execute(url, "ALTER TABLE \"penstock_event\" DROP CONSTRAINT unwritable");
      // Neither its port nor its fencing number was ever given.
      assertThat(node.granted(near("shop", "redis", 6379)).lease()).isEqualTo(new Lease(16_379, 1));
      await().atMost(PATIENCE).until(() -> node.complete && !node.table.isEmpty());
      assertThat(node.table.keySet()).containsExactly(new TunnelIdentity("shop", "redis"));
    }
  }

  private static void execute(String url, String statement) throws SQLException {
    try (Connection connection =
            DriverManager.getConnection(StoreConfig.url(new StoreSettings(url, null, null, 4)));
        Statement one = connection.createStatement()) {
      one.execute(statement);
    }
  }

  @Test
  void tenThousandTunnelsAreLeasedAtOnceAndReachANewNodeSoon() throws Exception {
    try (var cluster = new LeaseCluster(memory("many"))) {
      var one = cluster.start();
      one.port(near("lab", "first", 1));
      var requests = new ArrayList<LeaseRequest>();
      for (int i = 0; i < 10_000; i++) {
        requests.add(request("lab", "tunnel-" + i, new PortWish.Near(5432), "x".repeat(500)));
      }
      long began = System.nanoTime();
      var answers = one.leaseAll(requests);
      var took = Duration.ofNanos(System.nanoTime() - began);
      var ports = new HashSet<Integer>();
      for (Answer answer : answers) {
        ports.add(
            ((LeaseResult.Granted) ((Answer.Decided) answer).result()).tunnel().lease().port());
      }
      assertThat(ports).hasSize(10_000);
      began = System.nanoTime();
      one.leaseAll(requests);
      var again = Duration.ofNanos(System.nanoTime() - began);
      var two = cluster.start();
      began = System.nanoTime();
      two.follow();
      await().atMost(PATIENCE).until(() -> two.complete);
      var converged = Duration.ofNanos(System.nanoTime() - began);
      assertThat(two.table).hasSize(10_001);
      System.out.println(
          "10,000 tunnels: first sync " + took + ", again " + again + ", table " + converged);
      assertThat(took).isLessThan(Duration.ofSeconds(15));
      assertThat(converged).isLessThan(Duration.ofSeconds(15));
    }
  }

  @Test
  void aDatabaseOfANewerGatewayOrOfAnotherClusterIsRefused() throws Exception {
    String url = memory("foreign");
    var store = new StoreSettings(url, null, null, 4);
    ShardedLeases.prepare(store, "one");
    ShardedLeases.prepare(store, "one");
    assertThatThrownBy(() -> ShardedLeases.prepare(store, "two"))
        .isInstanceOf(StoreRefused.class)
        .hasMessageContaining("another cluster");
    try (var connection = DriverManager.getConnection(url);
        var statement = connection.createStatement()) {
      statement.execute("UPDATE penstock_store SET version = 3");
    }
    assertThatThrownBy(() -> ShardedLeases.prepare(store, "one"))
        .isInstanceOf(StoreRefused.class)
        .hasMessageContaining("schema version 3 (expected: at most 2)");
  }
}
