package dev.penstock.gateway.cluster;

import dev.penstock.gateway.sources.Bans;
import dev.penstock.gateway.sources.Bans.Ban;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.SupervisorStrategy;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.cluster.ddata.Key;
import org.apache.pekko.cluster.ddata.LWWMap;
import org.apache.pekko.cluster.ddata.LWWMapKey;
import org.apache.pekko.cluster.ddata.SelfUniqueAddress;
import org.apache.pekko.cluster.ddata.typed.javadsl.Replicator;
import org.apache.pekko.cluster.ddata.typed.javadsl.ReplicatorSettings;
import org.apache.pekko.cluster.typed.Cluster;

/// Actor: makes the [Bans] of all nodes the same, in Distributed Data, where the later change of a
/// source wins. They are cut into buckets, so that a change is told with its bucket and a bucket
/// fits into a message. A node that joins is given all.
final class SharedBans {
  private static final int BUCKETS = 128;

  /// Bans that have ended by themselves are removed this often.
  private static final Duration SWEEP = Duration.ofSeconds(30);

  sealed interface Command {}

  private record Changed(Bans.Change change) implements Command {}

  private record Told(Replicator.SubscribeResponse<LWWMap<String, ClusterMessage>> response)
      implements Command {}

  private record Sweep() implements Command {}

  private final ActorContext<Command> context;
  private final Bans bans;
  private final SelfUniqueAddress writer;
  private final ActorRef<Replicator.Command> replicator;
  private final List<Key<LWWMap<String, ClusterMessage>>> keys = new ArrayList<>();
  private final Map<String, Integer> buckets = new HashMap<>();

  /// What was last told of each bucket.
  private final Map<Integer, Map<String, ClusterMessage>> told = new HashMap<>();

  private SharedBans(ActorContext<Command> context, Bans bans) {
    this.context = context;
    this.bans = bans;
    var cluster = Cluster.get(context.getSystem());
    writer = new SelfUniqueAddress(cluster.selfMember().uniqueAddress());
    replicator =
        context.spawn(
            Replicator.behavior(
                ReplicatorSettings.create(
                    context
                        .getSystem()
                        .settings()
                        .config()
                        .getConfig("penstock.cluster.directory"))),
            "replicator");
  }

  static Behavior<Command> create(Bans bans) {
    return Behaviors.<Command>supervise(
            Behaviors.setup(context ->
                Behaviors.withTimers(timers -> new SharedBans(context, bans).start(timers))))
        .onFailure(SupervisorStrategy.resume());
  }

  private Behavior<Command> start(TimerScheduler<Command> timers) {
    ActorRef<Replicator.SubscribeResponse<LWWMap<String, ClusterMessage>>> adapter =
        context.messageAdapter(erased(Replicator.SubscribeResponse.class), Told::new);
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
      Key<LWWMap<String, ClusterMessage>> key = LWWMapKey.create("bans-" + bucket);
      keys.add(key);
      buckets.put(key.id(), bucket);
      replicator.tell(new Replicator.Subscribe<>(key, adapter));
    }
    ActorRef<Command> self = context.getSelf();
    bans.subscribe(change -> self.tell(new Changed(change)));
    timers.startTimerWithFixedDelay(new Sweep(), SWEEP);
    return Behaviors.receiveMessage(this::on);
  }

  private Behavior<Command> on(Command command) {
    switch (command) {
      case Changed(Bans.Change.Made(var ban)) -> {
        BanEntry entry = BanEntry.of(ban);
        update(ban.id(), map -> map.put(writer, ban.id(), entry));
      }
      case Changed(Bans.Change.Lifted(var ban)) ->
          update(ban.id(), map -> map.remove(writer, ban.id()));
      case Told(var response) -> {
        if (response instanceof Replicator.Changed<LWWMap<String, ClusterMessage>> changed) {
          told(changed);
        }
      }
      case Sweep() -> sweep();
    }
    return Behaviors.same();
  }

  private void told(Replicator.Changed<LWWMap<String, ClusterMessage>> changed) {
    Integer bucket = buckets.get(changed.key().id());
    if (bucket == null) {
      return;
    }
    Map<String, ClusterMessage> entries = changed.dataValue().getEntries();
    told.put(bucket, entries);
    var now = new ArrayList<Ban>();
    entries
        .values()
        .forEach(entry -> {
          if (entry instanceof BanEntry ban) {
            ban.ban().ifPresent(now::add);
          }
        });
    int of = bucket;
    bans.told(id -> bucketOf(id) == of, now);
  }

  private void sweep() {
    long now = System.currentTimeMillis();
    told.values()
        .forEach(entries ->
            entries.forEach((id, entry) -> {
              if (entry instanceof BanEntry ban && ban.expiresAt() <= now) {
                update(id, map -> map.remove(writer, id));
              }
            }));
  }

  private void update(
      String id, Function<LWWMap<String, ClusterMessage>, LWWMap<String, ClusterMessage>> change) {
    replicator.tell(
        new Replicator.Update<>(
            keys.get(bucketOf(id)),
            LWWMap.create(),
            new Replicator.WriteAll(Duration.ofSeconds(1)),
            context
                .getSystem()
                .<Replicator.UpdateResponse<LWWMap<String, ClusterMessage>>>ignoreRef(),
            change));
  }

  private static int bucketOf(String id) {
    int hash = id.hashCode();
    return Math.floorMod(hash ^ hash >>> 16, BUCKETS);
  }

  /// The class of a generic message, which has none of its own.
  @SuppressWarnings("unchecked")
  private static <T> Class<T> erased(Class<?> type) {
    return (Class<T>) type;
  }
}
