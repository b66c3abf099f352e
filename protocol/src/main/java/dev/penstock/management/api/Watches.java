package dev.penstock.management.api;

import static org.apache.pekko.util.ByteString.fromString;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.apache.pekko.NotUsed;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.japi.Pair;
import org.apache.pekko.stream.javadsl.Source;
import org.apache.pekko.util.ByteString;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Watches of answers: whoever watches the same answer shares one look at it every 0.7 s, and the
/// events that follow from it. What a slow reader has missed is not kept for it: it is told the
/// whole answer anew once it reads again. Safe for use by several threads.
final class Watches {
  /// Bounds.
  ///
  /// @param watches at a time
  /// @param answers that differ, at a time
  /// @param interval between two looks
  /// @param heartbeat between two comments while nothing changes
  /// @param longest how long a watch lasts
  record Limits(int watches, int answers, Duration interval, Duration heartbeat, Duration longest) {
    static Limits defaults() {
      return new Limits(
          1_000, 64, Duration.ofMillis(700), Duration.ofSeconds(15), Duration.ofHours(1));
    }
  }

  private static final Logger log = LoggerFactory.getLogger(Watches.class);
  private static final ByteString HEARTBEAT = fromString(":\n\n");
  private static final String RETRY = "retry: 3000\n";

  private final ActorSystem<?> system;
  private final ApiMeters meters;
  private final Limits limits;
  private final Map<String, Channel> channels = new ConcurrentHashMap<>();
  private final AtomicInteger watches = new AtomicInteger();

  Watches(ActorSystem<?> system, ApiMeters meters, Limits limits) {
    this.system = system;
    this.meters = meters;
    this.limits = limits;
  }

  int running() {
    return watches.get();
  }

  /// Begins a watch.
  ///
  /// @param key the same for answers that are the same
  /// @param first the answer as it was looked at just now
  /// @param look the answer as it is; may fail, which is passed over
  /// @param gone ends the watch at once
  /// @return null when there are too many
  @Nullable Source<ByteString, NotUsed> watch(
      String key,
      ObjectNode first,
      Supplier<CompletionStage<ObjectNode>> look,
      CompletionStage<NotUsed> gone) {
    boolean full =
        watches.get() >= limits.watches()
            || (channels.size() >= limits.answers() && !channels.containsKey(key));
    if (full) {
      meters.tooManyWatches();
      return null;
    }
    return Source.lazySource(() -> begin(key, first, look, gone))
        .mapMaterializedValue(_ -> NotUsed.getInstance());
  }

  /// The call came this far; the bounds are looked at once more, because others may have come
  /// between.
  private Source<ByteString, NotUsed> begin(
      String key,
      ObjectNode first,
      Supplier<CompletionStage<ObjectNode>> look,
      CompletionStage<NotUsed> gone) {
    if (watches.incrementAndGet() > limits.watches()) {
      watches.decrementAndGet();
      meters.tooManyWatches();
      return Source.empty();
    }
    meters.watchBegan();
    Channel channel =
        channels.compute(
            key,
            (_, known) -> {
              Channel one = known == null ? new Channel(key, first, look) : known;
              one.readers++;
              return one;
            });
    channel.start();
    var seat = new Seat();
    gone.whenComplete((_, _) -> seat.leave());
    return Source.unfoldAsync(0L, (Long seen) -> channel.after(seen, seat))
        .takeWithin(limits.longest())
        .watchTermination((_, ended) -> {
          ended.whenComplete((_, _) -> leave(channel));
          return NotUsed.getInstance();
        });
  }

  private void leave(Channel channel) {
    watches.decrementAndGet();
    meters.watchEnded();
    channels.computeIfPresent(
        channel.key,
        (_, known) -> {
          known.readers--;
          return known.readers == 0 ? null : known;
        });
  }

  /// One answer that is watched.
  private final class Channel {
    private final String key;
    private final Supplier<CompletionStage<ObjectNode>> look;

    /// Changed inside of the map's own locks only.
    private int readers;

    private boolean started;
    private volatile State state;

    /// Readers that have seen the latest version.
    private final Set<Reader> waiting = ConcurrentHashMap.newKeySet();

    Channel(String key, ObjectNode first, Supplier<CompletionStage<ObjectNode>> look) {
      this.key = key;
      this.look = look;
      this.state = new State(1, first, page(first), null);
    }

    synchronized void start() {
      if (!started) {
        started = true;
        later();
      }
    }

    private void later() {
      system
          .scheduler()
          .scheduleOnce(limits.interval(), this::lookAgain, system.executionContext());
    }

    private void lookAgain() {
      if (channels.get(key) != this) {
        return;
      }
      CompletionStage<ObjectNode> answer;
      try {
        answer = look.get();
      } catch (RuntimeException e) {
        answer = CompletableFuture.failedFuture(e);
      }
      answer.whenComplete((now, failed) -> {
        try {
          if (now != null) {
            publish(now);
          } else {
            log.atDebug().addKeyValue("watch", key).setCause(failed).log("a look came to nothing");
          }
        } finally {
          later();
        }
      });
    }

    private void publish(ObjectNode now) {
      State before = state;
      ByteString change = change(before.answer(), now);
      if (change == null) {
        return;
      }
      long version = before.version() + 1;
      state = new State(version, now, page(now), change);
      waiting.forEach(reader -> {
        // A reader that was told of this version may be back already while the others are told.
        if (reader.seen() != version) {
          reader.next().complete(told(reader.seen()));
        }
      });
    }

    /// What a reader is told next that has seen a version, 0 for none; a comment when nothing
    /// changes for long. A reader that has gone is forgotten with that, too.
    CompletionStage<Optional<Pair<Long, ByteString>>> after(long seen, Seat seat) {
      if (state.version() != seen) {
        return CompletableFuture.completedFuture(told(seen));
      }
      var reader = new Reader(seen, new CompletableFuture<>());
      waiting.add(reader);
      seat.take(reader.next());
      if (state.version() != seen) {
        reader.next().complete(told(seen));
      }
      var heartbeat = Optional.of(Pair.create(seen, HEARTBEAT));
      return reader
          .next()
          .completeOnTimeout(heartbeat, limits.heartbeat().toMillis(), TimeUnit.MILLISECONDS)
          .whenComplete((_, _) -> waiting.remove(reader));
    }

    private Optional<Pair<Long, ByteString>> told(long seen) {
      State now = state;
      ByteString change = now.change();
      ByteString told = change != null && now.version() == seen + 1 ? change : now.page();
      return Optional.of(Pair.create(now.version(), told));
    }
  }

  /// Where somebody who watches waits time and again until it goes.
  private static final class Seat {
    private boolean left;
    private @Nullable CompletableFuture<Optional<Pair<Long, ByteString>>> next;

    void take(CompletableFuture<Optional<Pair<Long, ByteString>>> awaited) {
      boolean late;
      synchronized (this) {
        late = left;
        next = awaited;
      }
      if (late) {
        awaited.complete(Optional.empty());
      }
    }

    void leave() {
      CompletableFuture<Optional<Pair<Long, ByteString>>> awaited;
      synchronized (this) {
        left = true;
        awaited = next;
      }
      if (awaited != null) {
        awaited.complete(Optional.empty());
      }
    }
  }

  /// Somebody who waits for the next version; each is one of its own.
  private static final class Reader {
    private final long seen;
    private final CompletableFuture<Optional<Pair<Long, ByteString>>> next;

    Reader(long seen, CompletableFuture<Optional<Pair<Long, ByteString>>> next) {
      this.seen = seen;
      this.next = next;
    }

    long seen() {
      return seen;
    }

    CompletableFuture<Optional<Pair<Long, ByteString>>> next() {
      return next;
    }
  }

  /// @param change from the version before; null where the whole is told instead
  private record State(
      long version, ObjectNode answer, ByteString page, @Nullable ByteString change) {}

  private static ByteString page(ObjectNode answer) {
    return fromString(RETRY + "event: page\ndata: " + answer + "\n\n");
  }

  /// Null when nothing but the time has changed.
  private static @Nullable ByteString change(ObjectNode before, ObjectNode now) {
    if (!now.path("items").isArray()) {
      return withoutTime(before).equals(withoutTime(now)) ? null : page(now);
    }
    Map<String, JsonNode> old = items(before);
    Map<String, JsonNode> fresh = items(now);
    ObjectNode change = JsonNodeFactory.instance.objectNode();
    ArrayNode changed = change.putArray("changed");
    fresh.forEach((id, item) -> {
      if (!item.equals(old.get(id))) {
        changed.add(item);
      }
    });
    ArrayNode removed = change.putArray("removed");
    old.keySet().stream().filter(id -> !fresh.containsKey(id)).forEach(removed::add);
    List<String> order = new ArrayList<>(fresh.keySet());
    boolean reordered = !order.equals(new ArrayList<>(old.keySet()));
    if (reordered) {
      ArrayNode ids = change.putArray("order");
      order.forEach(ids::add);
    }
    boolean same =
        changed.isEmpty()
            && !reordered
            && before.path("total").equals(now.path("total"))
            && before.path("unanswered").equals(now.path("unanswered"));
    if (same) {
      return null;
    }
    change.set("total", now.path("total"));
    change.set("unanswered", now.path("unanswered"));
    return fromString("event: change\ndata: " + change + "\n\n");
  }

  private static Map<String, JsonNode> items(ObjectNode page) {
    var items = new LinkedHashMap<String, JsonNode>();
    page.path("items").forEach(item -> items.put(item.path("id").asText(), item));
    return items;
  }

  private static ObjectNode withoutTime(ObjectNode answer) {
    ObjectNode rest = answer.deepCopy();
    rest.remove("time");
    return rest;
  }
}
