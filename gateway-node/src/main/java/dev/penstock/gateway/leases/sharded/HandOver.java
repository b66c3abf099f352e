package dev.penstock.gateway.leases.sharded;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;
import java.util.stream.StreamSupport;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.MemberStatus;
import org.apache.pekko.cluster.sharding.ShardRegion.CurrentShardRegionState;
import org.apache.pekko.cluster.sharding.typed.GetShardRegionState;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.sharding.typed.javadsl.EntityTypeKey;
import org.apache.pekko.cluster.typed.Cluster;

/// Waits until this node, which is about to leave, has no shard any more, see [StayingNodes].
final class HandOver {
  private static final Duration LOOK = Duration.ofMillis(100);

  private sealed interface Command {}

  private record Look() implements Command {}

  private record Shards(EntityTypeKey<?> of, int count) implements Command {}

  private record Late() implements Command {}

  private final ActorContext<Command> context;
  private final Predicate<Address> leaving;

  /// How many shards there are, of the kinds that have answered since the last look.
  private final Map<EntityTypeKey<?>, Integer> shards = new HashMap<>();

  private final Map<EntityTypeKey<?>, ActorRef<CurrentShardRegionState>> answers = new HashMap<>();

  private HandOver(ActorContext<Command> context, Predicate<Address> leaving) {
    this.context = context;
    this.leaving = leaving;
  }

  /// Waits for `patience` at most.
  ///
  /// @param of the kinds of entities
  /// @param done completed when there is no shard here, nobody who could take them, or no time left
  static Behavior<?> create(
      List<EntityTypeKey<?>> of,
      Predicate<Address> leaving,
      Duration patience,
      CompletableFuture<Void> done) {
    return Behaviors.<Command>setup(context ->
        Behaviors.withTimers(timers -> {
          var waiting = new HandOver(context, leaving);
          of.forEach(waiting::ask);
          timers.startTimerWithFixedDelay(new Look(), LOOK);
          timers.startSingleTimer(new Late(), patience);
          return Behaviors.receive(Command.class)
              .onAnyMessage(waiting::on)
              .onSignal(
                  PostStop.class,
                  _ -> {
                    done.complete(null);
                    return Behaviors.same();
                  })
              .build();
        }));
  }

  /// An adapter each, spawned: the answers do not say which they are of.
  private void ask(EntityTypeKey<?> kind) {
    ActorRef<Command> self = context.getSelf();
    ActorRef<CurrentShardRegionState> answer =
        context.spawnAnonymous(
            Behaviors.receiveMessage(state -> {
              self.tell(new Shards(kind, state.getShards().size()));
              return Behaviors.same();
            }));
    answers.put(kind, answer);
    ask(kind, answer);
  }

  private void ask(EntityTypeKey<?> kind, ActorRef<CurrentShardRegionState> answer) {
    ClusterSharding.get(context.getSystem())
        .shardState()
        .tell(new GetShardRegionState(kind, answer));
  }

  private Behavior<Command> on(Command command) {
    return switch (command) {
      case Look() -> {
        if (!somebodyStays()) {
          yield Behaviors.stopped();
        }
        answers.forEach(this::ask);
        yield Behaviors.same();
      }
      case Shards(var of, int count) -> {
        shards.put(of, count);
        yield shards.size() == answers.size() && shards.values().stream().allMatch(it -> it == 0)
            ? Behaviors.stopped()
            : Behaviors.same();
      }
      case Late() -> Behaviors.stopped();
    };
  }

  private boolean somebodyStays() {
    var cluster = Cluster.get(context.getSystem());
    return StreamSupport.stream(cluster.state().getMembers().spliterator(), false)
        .filter(member -> member.status().equals(MemberStatus.up()))
        .filter(member -> !member.address().equals(cluster.selfMember().address()))
        .anyMatch(member -> !leaving.test(member.address()));
  }
}
