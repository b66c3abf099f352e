package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.typesafe.config.ConfigFactory;
import dev.penstock.config.PortRange;
import dev.penstock.gateway.leases.Lease;
import dev.penstock.gateway.leases.LeaseAuthority.Answer;
import dev.penstock.gateway.leases.LeaseAuthority.Release;
import dev.penstock.gateway.leases.LeaseMeters;
import dev.penstock.gateway.leases.LeasePolicy;
import dev.penstock.gateway.leases.LeaseRequest;
import dev.penstock.gateway.leases.LeaseResult;
import dev.penstock.gateway.leases.PortWish;
import dev.penstock.gateway.leases.Quota;
import dev.penstock.gateway.leases.StoreSettings;
import dev.penstock.gateway.leases.TableChange;
import dev.penstock.gateway.leases.Transport;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.leases.TunnelRecord;
import dev.penstock.gateway.leases.TunnelRecord.Origin;
import dev.penstock.gateway.leases.sharded.ShardedLeases;
import dev.penstock.testkit.leases.LeaseHistory;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.MemberStatus;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.JoinSeedNodes;
import org.junit.jupiter.api.Test;

/// Many clients register and release at once through three nodes on PostgreSQL, while nodes are
/// lost and come anew and the database goes away and comes back.
class LeaseChaosSystemTest {
  private static final Duration PATIENCE = Duration.ofMinutes(2);
  private static final PortRange RANGE = new PortRange(20_000, 20_600);
  private static final int CLIENTS = 6;
  private static final int TUNNELS = 40;
  private static final int FAULTS = Integer.getInteger("faults", 6);
  private static final String CONFIG =
      """
      pekko.actor.provider = cluster
      pekko.loggers = ["org.apache.pekko.event.slf4j.Slf4jLogger"]
      pekko.logging-filter = "org.apache.pekko.event.slf4j.Slf4jLoggingFilter"
      pekko.loglevel = OFF
      pekko.stdout-loglevel = OFF
      pekko.log-dead-letters = off
      pekko.remote.artery.transport = tcp
      pekko.remote.artery.canonical.hostname = "127.0.0.1"
      pekko.remote.artery.canonical.port = 0
      pekko.cluster.downing-provider-class = "org.apache.pekko.cluster.sbr.SplitBrainResolverProvider"
      pekko.cluster.split-brain-resolver.stable-after = 2 s
      pekko.cluster.jmx.multi-mbeans-in-same-jvm = on
      pekko.coordinated-shutdown.run-by-actor-system-terminate = off
      pekko.coordinated-shutdown.exit-jvm = off
      """;

  private final List<Node> nodes = new CopyOnWriteArrayList<>();
  private final LeaseHistory history = new LeaseHistory();

  /// One gateway's part in deciding.
  private static final class Node {
    final ActorSystem<Void> system;
    final ShardedLeases leases;
    final Map<TunnelIdentity, TableChange.Held> table = new ConcurrentHashMap<>();
    volatile boolean complete;

    Node(StoreSettings store, List<Node> others) {
      system =
          ActorSystem.create(
              Behaviors.empty(),
              "gateway",
              ConfigFactory.parseString(CONFIG)
                  .withFallback(ShardedLeases.config(store))
                  .withFallback(ConfigFactory.load()));
      var cluster = Cluster.get(system);
      var seed = others.isEmpty() ? system : others.getFirst().system;
      cluster.manager().tell(new JoinSeedNodes(List.of(Cluster.get(seed).selfMember().address())));
      await().atMost(PATIENCE).until(() -> cluster.selfMember().status().equals(MemberStatus.up()));
      leases =
          ShardedLeases.start(
              system,
              LeasePolicy.open(RANGE, Quota.ofTunnels(1_000)),
              Duration.ofHours(1),
              new LeaseMeters(new PrometheusRegistry()));
      leases.follow(this::told);
    }

    private void told(List<TableChange> changes) {
      for (TableChange change : changes) {
        switch (change) {
          case TableChange.Held held ->
              table.merge(
                  held.tunnel().identity(),
                  held,
                  (one, other) -> one.revision() > other.revision() ? one : other);
          case TableChange.Released(var identity, long revision) ->
              table.computeIfPresent(
                  identity, (_, held) -> held.revision() > revision ? held : null);
          case TableChange.Complete() -> complete = true;
        }
      }
    }

    void kill() {
      system.terminate();
      await()
          .atMost(PATIENCE)
          .until(() -> system.getWhenTerminated().toCompletableFuture().isDone());
    }
  }

  private static LeaseHistory.Tunnel tunnel(TunnelIdentity identity) {
    return new LeaseHistory.Tunnel(identity.cluster(), identity.tunnelId());
  }

  private static LeaseHistory.Lease lease(TunnelRecord tunnel) {
    Lease lease = tunnel.lease();
    return new LeaseHistory.Lease("tcp", lease.port(), lease.fencing());
  }

  /// One call of a client, through any node, recorded.
  private void call(SplittableRandom random) throws InterruptedException {
    var identity = new TunnelIdentity("tenant" + random.nextInt(3), "t" + random.nextInt(TUNNELS));
    Node node = nodes.get(random.nextInt(nodes.size()));
    long began = System.nanoTime();
    if (random.nextInt(3) == 0) {
      Release release = null;
      try {
        release =
            node.leases
                .releaseAll(List.of(identity))
                .toCompletableFuture()
                .get(15, TimeUnit.SECONDS);
      } catch (ExecutionException | TimeoutException | IllegalStateException e) {
        // The node is gone; whether the release is done nobody knows.
      }
      if (release instanceof Release.Done) {
        history.released(tunnel(identity), began, System.nanoTime());
      } else {
        history.releaseUnknown(tunnel(identity), began);
      }
      return;
    }
    var request =
        new LeaseRequest(
            identity,
            Transport.TCP,
            new PortWish.Near(10_000 + random.nextInt(30)),
            Origin.REGISTRATION,
            "{}");
    try {
      var answers =
          node.leases.leaseAll(List.of(request)).toCompletableFuture().get(15, TimeUnit.SECONDS);
      if (answers.getFirst() instanceof Answer.Decided(var result, _, _)
          && result instanceof LeaseResult.Granted(var granted, _)) {
        history.granted(tunnel(identity), lease(granted), began, System.nanoTime());
      }
    } catch (ExecutionException | TimeoutException | IllegalStateException e) {
      // The node is gone; a registration that nobody was told of binds nobody.
    }
  }

  @Test
  void noPortHasTwoOwnersAndNoAcknowledgedLeaseIsLost() throws Exception {
    long seed = Long.getLong("seed", System.nanoTime());
    System.out.println("seed " + seed);
    try (RealServer database = RealServer.postgres()) {
      var store =
          new StoreSettings(
              "jdbc:postgresql://" + database.address() + "/postgres", "postgres", null, 4);
      ShardedLeases.prepare(store, "chaos");
      for (int i = 0; i < 3; i++) {
        nodes.add(new Node(store, nodes));
      }
      var ended = new AtomicBoolean();
      var clients = Executors.newFixedThreadPool(CLIENTS);
      var calls = new ArrayList<java.util.concurrent.Future<?>>();
      for (int i = 0; i < CLIENTS; i++) {
        var random = new SplittableRandom(seed + i);
        calls.add(
            clients.submit(() -> {
              while (!ended.get()) {
                call(random);
              }
              return null;
            }));
      }
      var random = new SplittableRandom(seed - 1);
      for (int fault = 0; fault < FAULTS; fault++) {
        int before = history.size();
        if (random.nextInt(2) == 0) {
          Node lost = nodes.remove(random.nextInt(nodes.size()));
          lost.kill();
          nodes.add(new Node(store, nodes));
        } else {
          database.stop();
          database.startAgain();
        }
        await().atMost(PATIENCE).until(() -> history.size() > before + 50);
      }
      ended.set(true);
      for (var call : calls) {
        call.get(60, TimeUnit.SECONDS);
      }
      clients.shutdown();
      await()
          .atMost(PATIENCE)
          .untilAsserted(() -> {
            for (Node node : nodes) {
              assertThat(node.complete).isTrue();
              assertThat(node.table).isEqualTo(nodes.getFirst().table);
            }
          });
      // A last word from each entity, so that nothing is under way any more.
      Node node = nodes.getFirst();
      for (TableChange.Held held : List.copyOf(node.table.values())) {
        history.seen(tunnel(held.tunnel().identity()), lease(held.tunnel()));
      }
      node.table
          .values()
          .forEach(
              held -> history.atTheEnd(tunnel(held.tunnel().identity()), lease(held.tunnel())));
      System.out.println(history.size() + " calls answered");
      assertThat(history.violations()).isEmpty();
    } finally {
      nodes.forEach(Node::kill);
    }
  }
}
