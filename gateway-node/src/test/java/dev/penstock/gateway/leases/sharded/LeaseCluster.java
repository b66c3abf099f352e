package dev.penstock.gateway.leases.sharded;

import com.typesafe.config.ConfigFactory;
import dev.penstock.config.PortRange;
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
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.MemberStatus;
import org.apache.pekko.cluster.sharding.ShardRegion.CurrentShardRegionState;
import org.apache.pekko.cluster.sharding.typed.GetShardRegionState;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.sharding.typed.javadsl.EntityTypeKey;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.JoinSeedNodes;
import org.awaitility.Awaitility;

/// Nodes in this process that decide on leases together, over loopback.
final class LeaseCluster implements AutoCloseable {
  static final PortRange RANGE = new PortRange(10_000, 35_000);
  static final Duration RETENTION = Duration.ofHours(24);
  static final String CONFIG =
      """
      pekko.actor.provider = cluster
      pekko.loggers = ["org.apache.pekko.event.slf4j.Slf4jLogger"]
      pekko.logging-filter = "org.apache.pekko.event.slf4j.Slf4jLoggingFilter"
      pekko.loglevel = WARNING
      pekko.log-dead-letters = off
      pekko.remote.artery.transport = tcp
      pekko.remote.artery.canonical.hostname = "127.0.0.1"
      pekko.remote.artery.canonical.port = 0
      pekko.cluster.downing-provider-class = "org.apache.pekko.cluster.sbr.SplitBrainResolverProvider"
      pekko.cluster.split-brain-resolver.stable-after = 2 s
      pekko.cluster.jmx.multi-mbeans-in-same-jvm = on
      pekko.cluster.shutdown-after-unsuccessful-join-seed-nodes = off
      pekko.coordinated-shutdown.run-by-actor-system-terminate = off
      pekko.coordinated-shutdown.exit-jvm = off
      """;

  private final StoreSettings store;
  private final LeasePolicy policy;
  private final List<Node> nodes = new ArrayList<>();

  /// Ports of the nodes that are about to leave.
  private final Set<Integer> leaving = ConcurrentHashMap.newKeySet();

  private final AtomicLong moved = new AtomicLong();
  private final InstantSource clock =
      () -> Instant.ofEpochMilli(System.currentTimeMillis() + moved.get());

  LeaseCluster(String url) throws IOException {
    this(url, LeasePolicy.open(RANGE, Quota.ofTunnels(20_000)));
  }

  LeaseCluster(String url, LeasePolicy policy) throws IOException {
    this.store = new StoreSettings(url, null, null, 4);
    this.policy = policy;
    ShardedLeases.prepare(store, "test");
  }

  /// One of them.
  final class Node {
    final ActorSystem<Void> system;
    final ShardedLeases leases;

    /// The table as this node was told, by the rule of [TableChange].
    final Map<TunnelIdentity, TableChange.Held> table = new ConcurrentHashMap<>();

    final Queue<TableChange.Whole> wholes = new ConcurrentLinkedQueue<>();
    volatile boolean complete;

    private Node() {
      system =
          ActorSystem.create(
              Behaviors.empty(),
              "gateway",
              ConfigFactory.parseString(CONFIG)
                  .withFallback(ShardedLeases.config(store))
                  .withFallback(ConfigFactory.load()));
      var cluster = Cluster.get(system);
      var seed = nodes.isEmpty() ? this : nodes.getFirst();
      cluster
          .manager()
          .tell(new JoinSeedNodes(List.of(Cluster.get(seed.system).selfMember().address())));
      Awaitility.await()
          .atMost(Duration.ofSeconds(60))
          .until(() -> cluster.selfMember().status().equals(MemberStatus.up()));
      leases =
          ShardedLeases.start(
              system,
              policy,
              RETENTION,
              address -> leaving.contains(address.getPort().orElseThrow()),
              new LeaseMeters(new PrometheusRegistry()),
              clock);
    }

    Node follow() {
      leases.follow(changes -> {
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
            case TableChange.Whole whole -> {
              wholes.add(whole);
              table.values().removeIf(held -> whole.ends(held.tunnel(), held.revision()));
            }
            case TableChange.Complete() -> complete = true;
          }
        }
      });
      return this;
    }

    Answer lease(LeaseRequest request) {
      return leaseAll(List.of(request)).getFirst();
    }

    List<Answer> leaseAll(List<LeaseRequest> requests) {
      try {
        return leases.leaseAll(requests).toCompletableFuture().get(120, TimeUnit.SECONDS);
      } catch (Exception e) {
        throw new AssertionError(e);
      }
    }

    /// Asks until there is an answer.
    LeaseResult decided(LeaseRequest request) {
      return Awaitility.await()
          .atMost(Duration.ofSeconds(90))
          .until(
              () -> lease(request) instanceof Answer.Decided(var result, _, _) ? result : null,
              result -> result != null);
    }

    TunnelRecord granted(LeaseRequest request) {
      return ((LeaseResult.Granted) decided(request)).tunnel();
    }

    int port(LeaseRequest request) {
      return granted(request).lease().port();
    }

    Release release(TunnelIdentity identity) {
      try {
        return leases.releaseAll(List.of(identity)).toCompletableFuture().get(60, TimeUnit.SECONDS);
      } catch (Exception e) {
        throw new AssertionError(e);
      }
    }

    /// Tells all that this node is about to leave.
    void announceLeaving() {
      leaving.add(Cluster.get(system).selfMember().address().getPort().orElseThrow());
    }

    /// How many blocks and tenants have their entities on this node.
    int shards() {
      return shards(PortBlock.KEY) + shards(TenantTunnels.KEY);
    }

    private int shards(EntityTypeKey<?> of) {
      CompletionStage<CurrentShardRegionState> state =
          AskPattern.ask(
              ClusterSharding.get(system).shardState(),
              replyTo -> new GetShardRegionState(of, replyTo),
              Duration.ofSeconds(10),
              system.scheduler());
      return state.toCompletableFuture().join().getShards().size();
    }

    /// Ends without a word to the others.
    void kill() {
      nodes.remove(this);
      system.terminate();
      Awaitility.await()
          .atMost(Duration.ofSeconds(30))
          .until(() -> system.getWhenTerminated().toCompletableFuture().isDone());
    }
  }

  Node start() {
    var node = new Node();
    nodes.add(node);
    return node;
  }

  /// Moves the clock that the retention goes by.
  void pass(Duration time) {
    moved.addAndGet(time.toMillis());
  }

  static LeaseRequest near(String cluster, String tunnel, int listenerPort) {
    return request(cluster, tunnel, new PortWish.Near(listenerPort));
  }

  static LeaseRequest exactly(String cluster, String tunnel, int port) {
    return request(cluster, tunnel, new PortWish.Exactly(port));
  }

  static LeaseRequest request(String cluster, String tunnel, PortWish wish) {
    return request(cluster, tunnel, wish, "{\"tunnel_id\":\"" + tunnel + "\"}");
  }

  static LeaseRequest request(String cluster, String tunnel, PortWish wish, String registration) {
    return new LeaseRequest(
        new TunnelIdentity(cluster, tunnel),
        Transport.TCP,
        wish,
        Origin.REGISTRATION,
        registration);
  }

  @Override
  public void close() {
    List.copyOf(nodes).forEach(Node::kill);
  }
}
