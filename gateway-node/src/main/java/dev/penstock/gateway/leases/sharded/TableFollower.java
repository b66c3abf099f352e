package dev.penstock.gateway.leases.sharded;

import dev.penstock.gateway.leases.TableChange;
import dev.penstock.gateway.leases.TunnelIdentity;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.cluster.sharding.typed.javadsl.ClusterSharding;

/// This node's copy of the table of all tunnels: asks every block for its part, a few at a time,
/// and follows the changes. A block that was not heard of, or whose changes have a gap, is asked
/// again; while nobody answers for it, what was known of it stays.
final class TableFollower {
  private static final Duration TICK = Duration.ofMillis(500);

  /// Less than a block waits before it takes a follower for gone.
  private static final long ASK_AGAIN_NANOS = Duration.ofSeconds(4).toNanos();

  private static final long PATIENCE_NANOS = Duration.ofSeconds(3).toNanos();
  private static final int AT_A_TIME = 32;

  private sealed interface Command {}

  private record Tick() implements Command {}

  private record Told(TableUpdate update) implements Command {}

  /// A block as it is known here.
  private static final class View {
    final BlockId block;
    Map<TunnelIdentity, BlockEvent.Held> tunnels = Map.of();
    long revision = -1;
    boolean awaited;
    long askedAt;

    /// Pages of a table that is not complete yet.
    final List<TableUpdate.Page> pages = new ArrayList<>();

    View(BlockId block) {
      this.block = block;
    }

    boolean isLoaded() {
      return revision >= 0;
    }
  }

  private final Consumer<List<TableChange>> follower;
  private final ClusterSharding sharding;
  private final ActorRef<TableUpdate> updates;
  private final Map<BlockId, View> views = new LinkedHashMap<>();
  private int loaded;

  private TableFollower(
      ActorContext<Command> context, List<BlockId> blocks, Consumer<List<TableChange>> follower) {
    this.follower = follower;
    this.sharding = ClusterSharding.get(context.getSystem());
    this.updates = context.messageAdapter(TableUpdate.class, Told::new);
    blocks.forEach(block -> views.put(block, new View(block)));
  }

  /// Follows these blocks.
  static Behavior<?> create(List<BlockId> blocks, Consumer<List<TableChange>> follower) {
    return Behaviors.<Command>setup(context ->
        Behaviors.withTimers(timers -> {
          var following = new TableFollower(context, blocks, follower);
          timers.startTimerWithFixedDelay(new Tick(), TICK);
          following.ask();
          return Behaviors.receiveMessage(command -> {
            switch (command) {
              case Tick() -> following.ask();
              case Told(var update) -> following.told(update);
            }
            return Behaviors.same();
          });
        }));
  }

  private void ask() {
    long now = System.nanoTime();
    long inFlight = views.values().stream().filter(view -> isAwaited(view, now)).count();
    for (View view : views.values()) {
      if (inFlight >= AT_A_TIME) {
        return;
      }
      boolean due = !view.isLoaded() || now - view.askedAt > ASK_AGAIN_NANOS;
      if (due && !isAwaited(view, now)) {
        ask(view, now);
        inFlight++;
      }
    }
  }

  private static boolean isAwaited(View view, long now) {
    return view.awaited && now - view.askedAt < PATIENCE_NANOS;
  }

  private void ask(View view, long now) {
    view.awaited = true;
    view.askedAt = now;
    view.pages.clear();
    sharding
        .entityRefFor(PortBlock.KEY, view.block.toString())
        .tell(new PortBlock.Follow(view.revision, updates));
  }

  private void told(TableUpdate update) {
    View view = views.get(update.block());
    if (view == null) {
      return;
    }
    switch (update) {
      case TableUpdate.Delta(_, long base, long revision, var lines) -> {
        if (revision == view.revision) {
          view.awaited = false;
        } else if (base == view.revision) {
          changed(view, revision, lines);
        } else if (revision > view.revision && !isAwaited(view, System.nanoTime())) {
          ask(view, System.nanoTime());
        }
      }
      case TableUpdate.Page page -> page(view, page);
    }
    if (loaded < views.size()) {
      ask();
    }
  }

  private void changed(View view, long revision, List<BlockEvent.Line> lines) {
    var tunnels = new HashMap<>(view.tunnels);
    var changes = new ArrayList<TableChange>();
    for (BlockEvent.Line line : lines) {
      switch (line) {
        case BlockEvent.Held held -> {
          tunnels.put(held.identity(), held);
          changes.add(held(view, held));
        }
        case BlockEvent.Released _, BlockEvent.Dropped _ -> {
          tunnels.remove(line.identity());
          changes.add(new TableChange.Released(line.identity(), line.revision()));
        }
      }
    }
    view.tunnels = tunnels;
    view.revision = revision;
    tell(changes);
  }

  private void page(View view, TableUpdate.Page page) {
    if (page.revision() < view.revision) {
      return;
    }
    if (page.part() == 0) {
      view.pages.clear();
    }
    boolean next =
        page.part() == view.pages.size()
            && (view.pages.isEmpty() || view.pages.getFirst().revision() == page.revision());
    if (!next) {
      view.pages.clear();
      return;
    }
    view.pages.add(page);
    if (view.pages.size() == page.parts()) {
      whole(view, page.revision());
    }
  }

  private void whole(View view, long revision) {
    var tunnels = new HashMap<TunnelIdentity, BlockEvent.Held>();
    view.pages.forEach(page -> page.tunnels().forEach(held -> tunnels.put(held.identity(), held)));
    var changes = new ArrayList<TableChange>();
    view.tunnels.forEach((identity, held) -> {
      if (!tunnels.containsKey(identity)) {
        // When it ended is not known, but after this and before anything that it is by now.
        changes.add(new TableChange.Released(identity, held.revision() + 1));
      }
    });
    tunnels.forEach((identity, held) -> {
      if (!held.equals(view.tunnels.get(identity))) {
        changes.add(held(view, held));
      }
    });
    var upTo = new HashMap<String, Long>();
    view.pages.forEach(page -> upTo.putAll(page.attempts()));
    view.pages.clear();
    BlockId block = view.block;
    changes.add(
        new TableChange.Whole(
            block.transport(), block.first(), block.last(), tunnels.keySet(), upTo));
    if (!view.isLoaded()) {
      loaded++;
      if (loaded == views.size()) {
        changes.add(new TableChange.Complete());
      }
    }
    view.awaited = false;
    view.tunnels = tunnels;
    view.revision = revision;
    tell(changes);
  }

  private static TableChange held(View view, BlockEvent.Held held) {
    return new TableChange.Held(held.tunnel(view.block.transport()), held.revision());
  }

  private void tell(List<TableChange> changes) {
    if (!changes.isEmpty()) {
      follower.accept(List.copyOf(changes));
    }
  }
}
