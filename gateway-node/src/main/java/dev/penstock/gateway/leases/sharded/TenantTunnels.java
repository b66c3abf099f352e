package dev.penstock.gateway.leases.sharded;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.leases.TunnelRecord.Origin;
import dev.penstock.gateway.leases.sharded.BlockBook.Room;
import dev.penstock.gateway.leases.sharded.Errand.Ask;
import dev.penstock.gateway.leases.sharded.Placement.Rooms;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PreRestart;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;
import org.apache.pekko.cluster.sharding.typed.javadsl.EntityTypeKey;
import org.apache.pekko.persistence.typed.PersistenceId;
import org.apache.pekko.persistence.typed.RecoveryCompleted;
import org.apache.pekko.persistence.typed.SnapshotAdapter;
import org.apache.pekko.persistence.typed.javadsl.CommandHandler;
import org.apache.pekko.persistence.typed.javadsl.Effect;
import org.apache.pekko.persistence.typed.javadsl.EventHandler;
import org.apache.pekko.persistence.typed.javadsl.EventSourcedBehavior;
import org.apache.pekko.persistence.typed.javadsl.RetentionCriteria;
import org.apache.pekko.persistence.typed.javadsl.SignalHandler;
import org.jspecify.annotations.Nullable;

/// A [TenantBook] that lasts and is in one place of the cluster. Runs one [Errand] at a time, the
/// others wait; so the requests of a tenant have an order, and their numbers tell it to the blocks.
///
/// ```
/// opening --number of the incarnation written--> idle --request--> round written
///                                                  ^                    |
///                                  next round empty|                    v
///                                                  +---- replies or time out <- blocks asked
/// ```
final class TenantTunnels
    extends EventSourcedBehavior<TenantTunnels.Command, TenantEvent, TenantBook> {
  static final EntityTypeKey<Command> KEY = EntityTypeKey.create(Command.class, "penstock-tenants");

  private static final Duration BLOCK_TIMEOUT = Duration.ofSeconds(4);
  private static final Duration ROOMS_KNOWN_FOR = Duration.ofSeconds(5);
  private static final Duration CONFIRMED_FOR = Duration.ofSeconds(2);
  private static final int MAX_WAITING = 256;
  private static final int EVENTS_PER_SNAPSHOT = 200;
  private static final int SNAPSHOTS = 2;

  /// What this entity is told.
  sealed interface Command {}

  /// By a node.
  @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "t")
  @JsonSubTypes({
    @JsonSubTypes.Type(value = LeaseAll.class, name = "lease"),
    @JsonSubTypes.Type(value = Release.class, name = "release"),
    @JsonSubTypes.Type(value = Refuse.class, name = "refuse")
  })
  sealed interface OfNode extends Command, Wire {
    ActorRef<TenantReply> replyTo();
  }

  record LeaseAll(List<Request> requests, ActorRef<TenantReply> replyTo) implements OfNode {}

  /// @param unnamedMillis passes over those that a sync has named within so long; 0 for none
  record Release(List<String> tunnelIds, long unnamedMillis, ActorRef<TenantReply> replyTo)
      implements OfNode {}

  record Refuse(
      String tunnelId,
      long fencing,
      BlockEvent.@Nullable Held before,
      ActorRef<TenantReply> replyTo)
      implements OfNode {}

  private record Opened() implements Command {}

  private record Replied(BlockReply reply) implements Command {}

  private record RoundTimedOut(long round) implements Command {}

  private final String cluster;
  private final Rules rules;
  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final ClusterSharding sharding;
  private final ActorRef<BlockReply> replies;
  private final Rooms rooms = new Rooms();
  private final Map<String, Long> namedAt = new HashMap<>();
  private final Map<Long, Ask> open = new HashMap<>();
  private final long startedAt = System.nanoTime();
  private long roomsSince = startedAt;
  private long confirmedAt = startedAt;
  private boolean opened;
  private int waiting;
  private long attempts;
  private long rounds;
  private @Nullable Running running;

  /// The errand under way and what follows its end.
  private record Running(Errand errand, ActorRef<TenantReply> replyTo, Runnable end) {}

  /// Where every recovery begins; see [PortBlock].
  private final TenantBook empty = new TenantBook();

  private TenantTunnels(
      String cluster, Rules rules, ActorContext<Command> context, TimerScheduler<Command> timers) {
    super(PersistenceId.of(KEY.name(), cluster), Rules.BACKOFF);
    this.cluster = cluster;
    this.rules = rules;
    this.context = context;
    this.timers = timers;
    this.sharding = ClusterSharding.get(context.getSystem());
    this.replies = context.messageAdapter(BlockReply.class, Replied::new);
  }

  static Behavior<Command> create(String cluster, Rules rules) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> new TenantTunnels(cluster, rules, context, timers)));
  }

  @Override
  public TenantBook emptyState() {
    return empty;
  }

  @Override
  public SignalHandler<TenantBook> signalHandler() {
    return newSignalHandlerBuilder()
        .onSignal(PreRestart.instance(), _ -> abandon())
        .onSignal(
            RecoveryCompleted.instance(),
            _ -> {
              abandon();
              context.getSelf().tell(new Opened());
            })
        .build();
  }

  /// This object outlives the failures of the store, what it knew does not.
  private void abandon() {
    var now = running;
    running = null;
    opened = false;
    open.clear();
    rooms.forgetAll();
    if (now != null) {
      now.replyTo().tell(new TenantReply.Unavailable());
    }
  }

  @Override
  public CommandHandler<Command, TenantEvent, TenantBook> commandHandler() {
    return (book, command) ->
        switch (command) {
          case Opened() ->
              Effect()
                  .persist(new TenantEvent.Opened(book.incarnation() + 1))
                  .thenRun((TenantBook now) -> {
                    opened = true;
                    attempts = (long) now.incarnation() << 32;
                    waiting = 0;
                  })
                  .thenUnstashAll();
          case OfNode request -> {
            if (opened && running == null) {
              yield begin(book, request);
            }
            if (waiting >= MAX_WAITING) {
              request.replyTo().tell(new TenantReply.Unavailable());
              yield Effect().none();
            }
            waiting++;
            yield Effect().stash();
          }
          case Replied(var reply) -> replied(reply);
          case RoundTimedOut(long round) -> {
            if (running == null || round != rounds) {
              yield Effect().none();
            }
            var asks = List.copyOf(open.values());
            open.clear();
            asks.forEach(running.errand()::unanswered);
            yield nextRound(running);
          }
        };
  }

  // --- errands ---

  private Effect<TenantEvent, TenantBook> begin(TenantBook book, OfNode request) {
    long now = rules.clock().millis();
    var next =
        switch (request) {
          case LeaseAll(var requests, var replyTo) -> lease(book, requests, replyTo);
          case Release(var tunnelIds, long unnamedMillis, var replyTo) -> {
            var ending =
                new Ending(
                    book,
                    unnamed(tunnelIds, unnamedMillis),
                    book.forgettable(
                        now, rules.retention().toMillis(), rules.policy().quota(cluster).tunnels()),
                    now,
                    rules.retention().toMillis());
            yield new Running(
                ending,
                replyTo,
                () -> {
                  tunnelIds.forEach(namedAt::remove);
                  replyTo.tell(
                      ending.isDone()
                          ? new TenantReply.Ended(ending.revisions())
                          : new TenantReply.Unavailable());
                });
          }
          case Refuse(var tunnelId, long fencing, var before, var replyTo) -> {
            var refusing =
                new Refusing(book, new TunnelIdentity(cluster, tunnelId), fencing, before);
            yield new Running(
                refusing,
                replyTo,
                () ->
                    replyTo.tell(
                        new TenantReply.Ended(
                            refusing.revision() == 0
                                ? Map.of()
                                : Map.of(tunnelId, refusing.revision()))));
          }
        };
    running = next;
    return nextRound(next);
  }

  private Running lease(TenantBook book, List<Request> requests, ActorRef<TenantReply> replyTo) {
    long now = System.nanoTime();
    if (now - roomsSince > ROOMS_KNOWN_FOR.toNanos()) {
      rooms.forgetAll();
      roomsSince = now;
    }
    for (Request request : requests) {
      if (request.origin() == Origin.SYNC) {
        namedAt.put(request.tunnelId(), now);
      }
    }
    var placement =
        new Placement(
            book,
            requests.stream().map(request -> request.of(cluster)).toList(),
            rules.policy(),
            rooms);
    return new Running(
        placement, replyTo, () -> replyTo.tell(new TenantReply.Leased(placement.answers())));
  }

  /// A tunnel that nothing has named since this entity started counts as named then.
  private List<String> unnamed(List<String> tunnelIds, long unnamedMillis) {
    long now = System.nanoTime();
    long grace = Duration.ofMillis(unnamedMillis).toNanos();
    return tunnelIds.stream()
        .filter(id -> now - namedAt.getOrDefault(id, startedAt) >= grace)
        .toList();
  }

  private Effect<TenantEvent, TenantBook> nextRound(Running now) {
    var round = now.errand().next();
    boolean confirmed = System.nanoTime() - confirmedAt < CONFIRMED_FOR.toNanos();
    boolean nothing = round.changed().put().isEmpty() && round.changed().removed().isEmpty();
    if (nothing && (confirmed || !round.asks().isEmpty())) {
      return go(now, round.asks());
    }
    long asked = System.nanoTime();
    var written =
        Effect()
            .persist(round.changed())
            .thenRun(() -> {
              confirmedAt = asked;
              act(now, round.asks());
            });
    return round.asks().isEmpty() ? written.thenUnstashAll() : written;
  }

  private Effect<TenantEvent, TenantBook> go(Running now, List<Ask> asks) {
    var effect = Effect().none().thenRun(() -> act(now, asks));
    return asks.isEmpty() ? effect.thenUnstashAll() : effect;
  }

  private void act(Running now, List<Ask> asks) {
    if (asks.isEmpty()) {
      running = null;
      waiting = 0;
      now.end().run();
      return;
    }
    long round = ++rounds;
    timers.startSingleTimer(new RoundTimedOut(round), BLOCK_TIMEOUT);
    for (Ask ask : asks) {
      long attempt = ++attempts;
      open.put(attempt, ask);
      sharding.entityRefFor(PortBlock.KEY, ask.block().toString()).tell(command(ask, attempt));
    }
  }

  private PortBlock.Command command(Ask ask, long attempt) {
    return switch (ask) {
      case Ask.Lease(_, var need, var requests) ->
          new PortBlock.LeaseAll(
              cluster, attempt, need, requests.stream().map(Request::of).toList(), replies);
      case Ask.Release(_, var purpose, var tunnelIds) ->
          new PortBlock.Release(cluster, attempt, purpose, tunnelIds, replies);
      case Ask.Refuse(_, var identity, long fencing, var before) ->
          new PortBlock.Refuse(cluster, attempt, identity.tunnelId(), fencing, before, replies);
    };
  }

  private Effect<TenantEvent, TenantBook> replied(BlockReply reply) {
    var now = running;
    Ask ask = open.remove(reply.attempt());
    if (now == null || ask == null) {
      return Effect().none();
    }
    switch (reply) {
      case BlockReply.Leased(long attempt, var answers, int free, int kept) -> {
        if (ask instanceof Ask.Lease lease) {
          now.errand().leased(lease, attempt, answers, new Room(free, kept));
        }
      }
      case BlockReply.Done(long attempt) -> now.errand().done(ask, attempt);
      case BlockReply.Stale _ -> now.errand().unanswered(ask);
    }
    if (!open.isEmpty()) {
      return Effect().none();
    }
    timers.cancel(new RoundTimedOut(rounds));
    return nextRound(now);
  }

  // --- what lasts ---

  @Override
  public EventHandler<TenantBook, TenantEvent> eventHandler() {
    return (before, event) -> {
      TenantBook book = before == empty ? new TenantBook() : before;
      book.apply(event);
      return book;
    };
  }

  @Override
  public RetentionCriteria retentionCriteria() {
    return RetentionCriteria.snapshotEvery(EVENTS_PER_SNAPSHOT, SNAPSHOTS)
        .withDeleteEventsOnSnapshot();
  }

  @Override
  public SnapshotAdapter<TenantBook> snapshotAdapter() {
    return new SnapshotAdapter<>() {
      @Override
      public Object toJournal(TenantBook book) {
        return book.snapshot();
      }

      @Override
      public TenantBook fromJournal(Object stored) {
        return TenantBook.of((TenantSnapshot) stored);
      }
    };
  }
}
