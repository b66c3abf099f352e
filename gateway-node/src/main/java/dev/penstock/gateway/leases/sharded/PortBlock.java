package dev.penstock.gateway.leases.sharded;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.penstock.gateway.leases.TunnelIdentity;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.PreRestart;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
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

/// A [BlockBook] that lasts and is in one place of the cluster: the owner of 256 ports. Tells those
/// who follow its table every change once it is written down.
///
/// A node that was cut off may still run an owner of before. It can write nothing, because the
/// numbers of its events are taken; and what it says without writing it must have confirmed, by
/// writing, at most [#CONFIRMED_FOR] ago, which is less than it takes the others to replace it.
final class PortBlock extends EventSourcedBehavior<PortBlock.Command, BlockEvent, BlockBook> {
  static final EntityTypeKey<Command> KEY = EntityTypeKey.create(Command.class, "penstock-ports");

  private static final Duration CONFIRMED_FOR = Duration.ofSeconds(2);

  /// A follower that has not asked for so long is gone.
  private static final Duration FOLLOWED_FOR = Duration.ofSeconds(15);

  private static final int PAGE_CHARACTERS = 128 * 1024;
  private static final int EVENTS_PER_SNAPSHOT = 100;
  private static final int SNAPSHOTS = 2;

  /// What this entity is told.
  @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "t")
  @JsonSubTypes({
    @JsonSubTypes.Type(value = LeaseAll.class, name = "lease"),
    @JsonSubTypes.Type(value = Release.class, name = "release"),
    @JsonSubTypes.Type(value = Refuse.class, name = "refuse"),
    @JsonSubTypes.Type(value = Follow.class, name = "follow"),
    @JsonSubTypes.Type(value = Reserve.class, name = "reserve"),
    @JsonSubTypes.Type(value = ListReserved.class, name = "reserved")
  })
  sealed interface Command extends Wire {}

  /// A tenant's request.
  sealed interface OfTenant extends Command {
    String cluster();

    long attempt();

    ActorRef<BlockReply> replyTo();
  }

  record LeaseAll(
      String cluster,
      long attempt,
      BlockBook.Need need,
      List<Request> requests,
      ActorRef<BlockReply> replyTo)
      implements OfTenant {}

  record Release(
      String cluster,
      long attempt,
      Errand.Ask.Purpose purpose,
      List<String> tunnelIds,
      ActorRef<BlockReply> replyTo)
      implements OfTenant {}

  record Refuse(
      String cluster,
      long attempt,
      String tunnelId,
      long fencing,
      BlockEvent.@Nullable Held before,
      ActorRef<BlockReply> replyTo)
      implements OfTenant {}

  /// Asks for the changes of the table; to be repeated every few seconds.
  ///
  /// @param revision that the follower has; -1 for none
  record Follow(long revision, ActorRef<TableUpdate> replyTo) implements Command {}

  /// An operator's wish.
  ///
  /// @param cluster null to end the reservation
  record Reserve(int port, @Nullable String cluster, ActorRef<ReservationReply> replyTo)
      implements Command {}

  /// Asks what operators have reserved.
  record ListReserved(ActorRef<ReservationReply> replyTo) implements Command {}

  private final BlockId id;
  private final Rules rules;
  private final ActorContext<Command> context;
  private final Map<ActorRef<TableUpdate>, Long> followers = new HashMap<>();
  private long confirmedAt = System.nanoTime();

  /// Where every recovery begins. It is one for all recoveries of this entity, and an event is
  /// applied before it is written: what could not be written must not be in it.
  private final BlockBook empty;

  private PortBlock(BlockId id, Rules rules, ActorContext<Command> context) {
    super(PersistenceId.of(KEY.name(), id.toString()), Rules.BACKOFF);
    this.id = id;
    this.rules = rules;
    this.context = context;
    this.empty = new BlockBook(id);
  }

  static Behavior<Command> create(BlockId id, Rules rules) {
    return Behaviors.setup(context -> new PortBlock(id, rules, context));
  }

  @Override
  public BlockBook emptyState() {
    return empty;
  }

  @Override
  public CommandHandler<Command, BlockEvent, BlockBook> commandHandler() {
    return (book, command) ->
        switch (command) {
          case OfTenant request ->
              book.isNewest(request.cluster(), request.attempt())
                  ? answer(book, request)
                  : Effect()
                      .none()
                      .thenRun(() -> {
                        rules.meters().overtaken();
                        request.replyTo().tell(new BlockReply.Stale(request.attempt()));
                      });
          case Follow(long revision, var replyTo) -> follow(book, revision, replyTo);
          case Reserve(int port, var cluster, var replyTo) -> reserve(book, port, cluster, replyTo);
          case ListReserved(var replyTo) ->
              Effect()
                  .none()
                  .thenRun(() -> replyTo.tell(new ReservationReply(null, book.reservations())));
        };
  }

  private Effect<BlockEvent, BlockBook> answer(BlockBook book, OfTenant request) {
    long now = rules.clock().millis();
    long retention = rules.retention().toMillis();
    var done = new BlockReply.Done(request.attempt());
    return switch (request) {
      case LeaseAll(var cluster, long attempt, var need, var requests, var replyTo) -> {
        var leased =
            book.lease(
                cluster,
                requests.stream().map(one -> one.of(cluster)).toList(),
                need,
                attempt,
                now,
                rules.policy(),
                retention);
        Runnable reply =
            () -> {
              var room = book.room(cluster, now, rules.policy(), retention);
              replyTo.tell(
                  new BlockReply.Leased(attempt, leased.answers(), room.free(), room.kept()));
            };
        boolean confirmed = System.nanoTime() - confirmedAt < CONFIRMED_FOR.toNanos();
        yield leased.isForgettable() && confirmed
            ? Effect().none().thenRun(reply::run)
            : write(leased.event(), reply);
      }
      case Release(var cluster, long attempt, var purpose, var tunnelIds, var replyTo) ->
          write(
              switch (purpose) {
                case END -> book.release(cluster, tunnelIds, attempt, now, retention);
                case LEFTOVER -> book.forget(cluster, tunnelIds, attempt);
              },
              () -> replyTo.tell(done));
      case Refuse(
              var cluster,
              long attempt,
              var tunnelId,
              long fencing,
              var before,
              var replyTo) -> {
        var event = book.refuse(new TunnelIdentity(cluster, tunnelId), fencing, before, attempt);
        yield write(
            event,
            () -> replyTo.tell(event.lines().isEmpty() ? new BlockReply.Stale(attempt) : done));
      }
    };
  }

  private Effect<BlockEvent, BlockBook> write(BlockEvent event, Runnable reply) {
    long asked = System.nanoTime();
    return Effect()
        .persist(event)
        .thenRun((BlockBook book) -> {
          confirmedAt = asked;
          retains(book);
          publish(event);
          reply.run();
        });
  }

  private Effect<BlockEvent, BlockBook> reserve(
      BlockBook book, int port, @Nullable String cluster, ActorRef<ReservationReply> replyTo) {
    long now = rules.clock().millis();
    String conflict =
        cluster == null
            ? null
            : book.obstacleTo(cluster, port, rules.policy(), now, rules.retention().toMillis());
    if (conflict != null) {
      return Effect().none().thenRun(() -> replyTo.tell(new ReservationReply(conflict, List.of())));
    }
    return write(
        BlockEvent.reserved(new BlockEvent.Reserved(port, cluster)),
        () -> replyTo.tell(new ReservationReply(null, book.reservations())));
  }

  private void retains(BlockBook book) {
    rules
        .meters()
        .retained(id.toString(), book.kept(rules.clock().millis(), rules.retention().toMillis()));
  }

  @Override
  public SignalHandler<BlockBook> signalHandler() {
    return newSignalHandlerBuilder()
        .onSignal(RecoveryCompleted.instance(), this::retains)
        .onSignal(PreRestart.instance(), _ -> rules.meters().retainsNoMore(id.toString()))
        .onSignal(PostStop.instance(), _ -> rules.meters().retainsNoMore(id.toString()))
        .build();
  }

  // --- followers ---

  private void publish(BlockEvent event) {
    long revision = lastSequenceNumber(context);
    long now = System.nanoTime();
    followers.values().removeIf(seen -> now - seen > FOLLOWED_FOR.toNanos());
    var delta = new TableUpdate.Delta(id, revision - 1, revision, event.lines());
    followers.keySet().forEach(follower -> follower.tell(delta));
  }

  private Effect<BlockEvent, BlockBook> follow(
      BlockBook book, long known, ActorRef<TableUpdate> replyTo) {
    long revision = lastSequenceNumber(context);
    followers.put(replyTo, System.nanoTime());
    if (known == revision) {
      replyTo.tell(new TableUpdate.Delta(id, revision, revision, List.of()));
    } else {
      tellAll(book, revision, replyTo);
    }
    return Effect().none();
  }

  private void tellAll(BlockBook book, long revision, ActorRef<TableUpdate> replyTo) {
    var pages = new ArrayList<Part>();
    var part = new Part();
    for (BlockEvent.Held tunnel : book.tunnels()) {
      part = part.withRoom(pages, tunnel.registration().length() + tunnel.tunnelId().length());
      part.tunnels.add(tunnel);
    }
    for (var attempt : book.attempts().entrySet()) {
      part = part.withRoom(pages, attempt.getKey().length());
      part.attempts.put(attempt.getKey(), attempt.getValue());
    }
    pages.add(part);
    for (int at = 0; at < pages.size(); at++) {
      Part page = pages.get(at);
      replyTo.tell(
          new TableUpdate.Page(id, revision, at, pages.size(), page.tunnels, page.attempts));
    }
  }

  /// A page in the making.
  private static final class Part {
    final List<BlockEvent.Held> tunnels = new ArrayList<>();
    final Map<String, Long> attempts = new HashMap<>();
    private int characters;

    /// This page, or when it is full the next one, for something of so many characters.
    Part withRoom(List<Part> full, int more) {
      Part part = this;
      if (characters > PAGE_CHARACTERS) {
        full.add(this);
        part = new Part();
      }
      part.characters += more;
      return part;
    }
  }

  // --- what lasts ---

  @Override
  public EventHandler<BlockBook, BlockEvent> eventHandler() {
    return (before, event) -> {
      BlockBook book = before == empty ? new BlockBook(id) : before;
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
  public SnapshotAdapter<BlockBook> snapshotAdapter() {
    return new SnapshotAdapter<>() {
      @Override
      public Object toJournal(BlockBook book) {
        return book.snapshot();
      }

      @Override
      public BlockBook fromJournal(Object stored) {
        return BlockBook.of(id, (BlockSnapshot) stored);
      }
    };
  }
}
