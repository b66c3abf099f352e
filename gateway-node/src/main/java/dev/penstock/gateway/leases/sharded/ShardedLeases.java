package dev.penstock.gateway.leases.sharded;

import com.typesafe.config.Config;
import dev.penstock.gateway.cluster.PulseStore;
import dev.penstock.gateway.leases.Lease;
import dev.penstock.gateway.leases.LeaseAuthority;
import dev.penstock.gateway.leases.LeaseMeters;
import dev.penstock.gateway.leases.LeasePolicy;
import dev.penstock.gateway.leases.LeaseRequest;
import dev.penstock.gateway.leases.LeaseResult;
import dev.penstock.gateway.leases.Reservation;
import dev.penstock.gateway.leases.Reserving;
import dev.penstock.gateway.leases.StoreSettings;
import dev.penstock.gateway.leases.TableChange;
import dev.penstock.gateway.leases.Transport;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.leases.TunnelRecord;
import java.io.IOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.cluster.sharding.typed.ClusterShardingSettings;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.sharding.typed.javadsl.Entity;
import org.jspecify.annotations.Nullable;

/// The leases of a cluster of gateways. A request goes to the entity of its tenant, which asks the
/// entities of the blocks; both are somewhere in the cluster, once each. When they cannot write to
/// the store the answer is that nothing is known, after at most [#ANSWER_TIMEOUT]; whatever was
/// leased before goes on working, because every node has the whole table.
///
/// In order: [#prepare] the store, start an actor system with [#config], [#start] once it is in the
/// cluster.
public final class ShardedLeases implements LeaseAuthority {
  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(10);
  private static final int BATCH_TUNNELS = 1000;
  private static final int BATCH_CHARACTERS = 256 * 1024;
  private static final int BATCH_RELEASES = 2000;

  private static final Away AWAY =
      new Away(
          "the leases of the cluster cannot be written down at the moment; what is registered goes"
              + " on working; try again later",
          Duration.ofSeconds(5));

  /// How long the other nodes may take to take over this one's shards.
  private static final Duration HAND_OVER_PATIENCE = Duration.ofSeconds(15);

  private final ActorSystem<?> system;
  private final ClusterSharding sharding;
  private final LeasePolicy policy;
  private final Predicate<Address> leaving;

  private ShardedLeases(ActorSystem<?> system, LeasePolicy policy, Predicate<Address> leaving) {
    this.system = system;
    this.leaving = leaving;
    this.sharding = ClusterSharding.get(system);
    this.policy = policy;
  }

  /// Makes the tables of the store or checks that they are this cluster's. Blocks.
  ///
  /// @param cluster what tells this cluster of gateways from others, up to 255 characters; a digest
  ///   when it is made of a secret
  /// @throws StoreAway when it does not answer
  /// @throws StoreRefused when the database is of a newer gateway or of another cluster, or refuses
  ///   this one
  /// @throws IOException when it cannot be used
  public static void prepare(StoreSettings store, String cluster) throws IOException {
    LeaseSchema.prepare(store, cluster);
  }

  /// Where the nodes of the cluster leave their signs of life; `store.url` must be there, the
  /// database need not answer.
  public static PulseStore pulses(StoreSettings store) {
    return new StorePulses(store);
  }

  /// What an actor system must be started with; `store.url` must be there.
  public static Config config(StoreSettings store) {
    return StoreConfig.of(store);
  }

  /// Takes this node's part in deciding, as soon as the system is in the cluster. Once for each
  /// system.
  ///
  /// @param retention how long a released port is kept for its tunnel
  /// @param leaving whether the node at an address is about to leave, which every node is to hear
  ///   of before this one's [#handOver]; any thread, quick
  public static ShardedLeases start(
      ActorSystem<?> system,
      LeasePolicy policy,
      Duration retention,
      Predicate<Address> leaving,
      LeaseMeters meters) {
    return start(system, policy, retention, leaving, meters, InstantSource.system());
  }

  /// As [#start(ActorSystem, LeasePolicy, Duration, Predicate, LeaseMeters)], with a clock for the
  /// retention.
  static ShardedLeases start(
      ActorSystem<?> system,
      LeasePolicy policy,
      Duration retention,
      Predicate<Address> leaving,
      LeaseMeters meters,
      InstantSource clock) {
    var rules = new Rules(policy, retention, clock, meters);
    var sharding = ClusterSharding.get(system);
    var usual = sharding.defaultShardAllocationStrategy(ClusterShardingSettings.create(system));
    sharding.init(
        Entity.of(
                PortBlock.KEY,
                context -> PortBlock.create(BlockId.parse(context.getEntityId()), rules))
            .withAllocationStrategy(new StayingNodes(usual, leaving)));
    sharding.init(
        Entity.of(TenantTunnels.KEY, context -> TenantTunnels.create(context.getEntityId(), rules))
            .withAllocationStrategy(new StayingNodes(usual, leaving)));
    return new ShardedLeases(system, policy, leaving);
  }

  @Override
  public CompletionStage<List<Answer>> leaseAll(List<LeaseRequest> requests) {
    return leaseFrom(requests, 0, new ArrayList<>());
  }

  /// One batch after the other; after one that has no answer, the rest are not asked for.
  private CompletionStage<List<Answer>> leaseFrom(
      List<LeaseRequest> requests, int from, List<Answer> answers) {
    if (from == requests.size()) {
      return CompletableFuture.completedFuture(List.copyOf(answers));
    }
    int to = from;
    int characters = 0;
    while (to < requests.size() && to - from < BATCH_TUNNELS && characters < BATCH_CHARACTERS) {
      characters += requests.get(to).registration().length();
      to++;
    }
    int end = to;
    var batch = requests.subList(from, end);
    return ask(
            batch.getFirst().identity().cluster(),
            replyTo ->
                new TenantTunnels.LeaseAll(batch.stream().map(Request::of).toList(), replyTo))
        .thenCompose(reply -> {
          if (reply instanceof TenantReply.Leased(var each) && each.size() == batch.size()) {
            for (int i = 0; i < each.size(); i++) {
              answers.add(answer(batch.get(i), each.get(i)));
            }
            return leaseFrom(requests, end, answers);
          }
          while (answers.size() < requests.size()) {
            answers.add(new Answer.Unavailable(AWAY));
          }
          return CompletableFuture.completedFuture(List.copyOf(answers));
        });
  }

  private static Answer answer(LeaseRequest request, TenantAnswer answer) {
    return switch (answer) {
      case TenantAnswer.Granted(
              BlockAnswer.Granted(
                  var port,
                  long fencing,
                  var origin,
                  long revision,
                  var change,
                  var fresh)) ->
          new Answer.Decided(
              new LeaseResult.Granted(
                  new TunnelRecord(
                      request.identity(),
                      request.transport(),
                      port == null ? null : new Lease(port, fencing),
                      origin,
                      request.registration()),
                  change),
              fresh == null ? null : fresh(request, fresh.before()),
              revision);
      case TenantAnswer.Refused(var why, var text) ->
          new Answer.Decided(
              switch (why) {
                case CONFLICT -> new LeaseResult.Conflict(text);
                case EXHAUSTED -> new LeaseResult.Exhausted(text);
                case OVER_QUOTA -> new LeaseResult.OverQuota(text);
              },
              null,
              0);
      case TenantAnswer.Unavailable() -> new Answer.Unavailable(AWAY);
    };
  }

  private static Fresh fresh(LeaseRequest request, BlockEvent.@Nullable Held before) {
    return new Fresh(before == null ? null : before.tunnel(request.transport()));
  }

  @Override
  public CompletionStage<Release> releaseAll(Collection<TunnelIdentity> identities) {
    return release(identities, Duration.ZERO);
  }

  @Override
  public CompletionStage<Release> releaseUnnamed(
      Collection<TunnelIdentity> identities, Duration grace) {
    return release(identities, grace);
  }

  private CompletionStage<Release> release(Collection<TunnelIdentity> identities, Duration grace) {
    return releaseFrom(List.copyOf(identities), 0, grace, new HashMap<>());
  }

  private CompletionStage<Release> releaseFrom(
      List<TunnelIdentity> identities,
      int from,
      Duration grace,
      Map<TunnelIdentity, Long> revisions) {
    if (from == identities.size()) {
      return CompletableFuture.completedFuture(new Release.Done(revisions));
    }
    int to = Math.min(identities.size(), from + BATCH_RELEASES);
    String cluster = identities.get(from).cluster();
    var ids = identities.subList(from, to).stream().map(TunnelIdentity::tunnelId).toList();
    return ask(cluster, replyTo -> new TenantTunnels.Release(ids, grace.toMillis(), replyTo))
        .thenCompose(reply -> {
          if (reply instanceof TenantReply.Ended(var each)) {
            each.forEach(
                (id, revision) -> revisions.put(new TunnelIdentity(cluster, id), revision));
            return releaseFrom(identities, to, grace, revisions);
          }
          return CompletableFuture.completedFuture(new Release.Unavailable(AWAY));
        });
  }

  @Override
  public CompletionStage<Release> refusedBySystem(
      TunnelRecord granted, @Nullable TunnelRecord before) {
    var identity = granted.identity();
    Lease lease = granted.lease();
    if (lease == null) {
      throw new IllegalArgumentException("granted: without a lease " + identity);
    }
    var then = before == null ? null : BlockEvent.Held.of(before, 0);
    return ask(
            identity.cluster(),
            replyTo ->
                new TenantTunnels.Refuse(identity.tunnelId(), lease.fencing(), then, replyTo))
        .thenApply(reply -> {
          if (reply instanceof TenantReply.Ended(var revisions)) {
            Long revision = revisions.get(identity.tunnelId());
            return new Release.Done(revision == null ? Map.of() : Map.of(identity, revision));
          }
          return new Release.Unavailable(AWAY);
        });
  }

  @Override
  public CompletionStage<Reserving> reserve(Reservation reservation) {
    int port = reservation.port();
    if (!policy.range().contains(port)) {
      return CompletableFuture.completedFuture(
          new Reserving.Conflict(policy.refusal(reservation.cluster(), port)));
    }
    return reserving(
        BlockId.of(reservation.transport(), port),
        replyTo -> new PortBlock.Reserve(port, reservation.cluster(), replyTo));
  }

  @Override
  public CompletionStage<Reserving> unreserve(Transport transport, int port) {
    return policy.range().contains(port)
        ? reserving(
            BlockId.of(transport, port), replyTo -> new PortBlock.Reserve(port, null, replyTo))
        : CompletableFuture.completedFuture(new Reserving.Done(List.of()));
  }

  /// Of all blocks at once; the answer is whole or none.
  @Override
  public CompletionStage<Reserving> reservations() {
    CompletionStage<Reserving> all =
        CompletableFuture.completedFuture(new Reserving.Done(List.of()));
    for (BlockId block : BlockId.all(policy.range())) {
      all = all.thenCombine(reserving(block, PortBlock.ListReserved::new), ShardedLeases::both);
    }
    return all;
  }

  private static Reserving both(Reserving one, Reserving other) {
    if (one instanceof Reserving.Done(var some) && other instanceof Reserving.Done(var more)) {
      var all = new ArrayList<>(some);
      all.addAll(more);
      return new Reserving.Done(all);
    }
    return one instanceof Reserving.Done ? other : one;
  }

  private CompletionStage<Reserving> reserving(
      BlockId block, Function<ActorRef<ReservationReply>, PortBlock.Command> command) {
    return sharding
        .entityRefFor(PortBlock.KEY, block.toString())
        .ask(command::apply, ANSWER_TIMEOUT)
        .<Reserving>thenApply(reply -> {
          String conflict = reply.conflict();
          return conflict == null
              ? new Reserving.Done(reply.reservations())
              : new Reserving.Conflict(conflict);
        })
        .exceptionally(_ -> new Reserving.Unavailable(AWAY));
  }

  @Override
  public void follow(Consumer<List<TableChange>> follower) {
    system.systemActorOf(
        TableFollower.create(BlockId.all(policy.range()), follower),
        "penstock-table",
        Props.empty());
  }

  @Override
  public CompletionStage<Void> handOver() {
    var done = new CompletableFuture<Void>();
    system.systemActorOf(
        HandOver.create(
            List.of(PortBlock.KEY, TenantTunnels.KEY), leaving, HAND_OVER_PATIENCE, done),
        "penstock-hand-over",
        Props.empty());
    return done;
  }

  private CompletionStage<TenantReply> ask(
      String cluster, Function<ActorRef<TenantReply>, TenantTunnels.Command> command) {
    return sharding
        .entityRefFor(TenantTunnels.KEY, cluster)
        .ask(command::apply, ANSWER_TIMEOUT)
        .exceptionally(_ -> new TenantReply.Unavailable());
  }
}
