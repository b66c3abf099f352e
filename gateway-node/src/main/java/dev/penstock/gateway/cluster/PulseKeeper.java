package dev.penstock.gateway.cluster;

import dev.penstock.config.HostPort;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Leaves this node's sign of life in the database once it is a member, and watches the others' all
/// the time, on a virtual thread of its own, until it is ended.
final class PulseKeeper {
  private static final Logger log = LoggerFactory.getLogger(PulseKeeper.class);

  /// Between two beats. Some are missed before a node counts as dead.
  private static final Duration PERIOD = Duration.ofSeconds(1);

  static final Duration QUIET = Duration.ofSeconds(6);

  /// What a node left that never came back at its address is kept for as long.
  private static final Duration KEPT = Duration.ofHours(1);

  /// @param self this node
  /// @param membership empty until this node is a full member; any thread
  /// @param mayFound told at each change whether this node may form a cluster; false at first
  /// @param outnumbered told the nodes of the cluster that is to live on instead of this node's
  record Setup(
      NodeId self,
      PulseStore store,
      Supplier<Optional<Membership>> membership,
      Consumer<Boolean> mayFound,
      Consumer<List<HostPort>> outnumbered) {}

  /// @param members this node among them
  /// @param isOldest whether this node has been a member for longest
  record Membership(Set<NodeId> members, boolean isOldest) {}

  private final Setup setup;
  private final Pulses pulses;
  private final Semaphore wake = new Semaphore(0);
  private final CompletableFuture<Void> ended = new CompletableFuture<>();
  private volatile boolean isOver;
  private volatile String state = "";
  private Founding founding = Founding.UNKNOWN;
  private long beat;
  private boolean mayFound;

  PulseKeeper(Setup setup) {
    this.setup = setup;
    this.pulses = new Pulses(setup.self(), QUIET);
  }

  PulseKeeper start() {
    Thread.ofVirtual().name("pulse").start(this::run);
    return this;
  }

  /// The node has become a member: its sign is left at once.
  void joined() {
    wake.release();
  }

  /// Why this node forms no cluster, for people; empty when nothing keeps it from that.
  String state() {
    return state;
  }

  /// Takes the sign back, so that whoever starts next need not wait to see that it does not change.
  /// Completes when that is done or has failed.
  CompletionStage<Void> end() {
    isOver = true;
    wake.release();
    return ended.minimalCompletionStage();
  }

  private void run() {
    try (PulseStore store = setup.store()) {
      while (!isOver) {
        watch(store);
        wake.tryAcquire(PERIOD.toNanos(), TimeUnit.NANOSECONDS);
      }
      if (beat > 0) {
        store.remove(setup.self());
      }
    } catch (IOException e) {
      log.atDebug().setCause(e).log("This node's sign of life stays in the database");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      ended.complete(null);
    }
  }

  private void watch(PulseStore store) {
    try {
      List<Pulse> all = store.all();
      long now = System.nanoTime();
      pulses.seen(all, now);
      Optional<Membership> membership = setup.membership().get();
      if (membership.isEmpty()) {
        seek(now);
      } else {
        live(store, membership.get(), now);
      }
      for (NodeId dead : pulses.dead(KEPT, now)) {
        store.remove(dead);
      }
    } catch (IOException e) {
      pulses.missed();
      tell(
          false,
          "the database does not tell whether a node of the cluster lives: " + e.getMessage());
    } catch (RuntimeException e) {
      pulses.missed();
      log.atError().setCause(e).log("The signs of life were not watched; trying again");
    }
  }

  private void seek(long now) {
    if (pulses.mayFound(now)) {
      tell(true, "");
      return;
    }
    var living = pulses.living(now);
    tell(
        false,
        living.isEmpty()
            ? "the database does not show yet whether a node of the cluster lives"
            : "nodes of the cluster live, says the database, at " + living);
  }

  private void tell(boolean may, String why) {
    if (setup.membership().get().isPresent()) {
      return;
    }
    if (!why.isEmpty() && !why.equals(state)) {
      log.atInfo().addKeyValue("cause", why).log("This node forms no cluster of its own for now");
    }
    state = why;
    if (may != mayFound) {
      mayFound = may;
      setup.mayFound().accept(may);
    }
  }

  private void live(PulseStore store, Membership membership, long now) throws IOException {
    state = "";
    if (!founding.isKnown()) {
      founding =
          pulses
              .foundingOf(membership.members())
              .orElseGet(() -> membership.isOldest() ? pulses.next() : Founding.UNKNOWN);
    }
    store.write(new Pulse(setup.self(), founding, ++beat));
    if (founding.isKnown()) {
      List<HostPort> rivals = pulses.rivals(founding, now);
      if (!rivals.isEmpty()) {
        isOver = true;
        setup.outnumbered().accept(rivals);
      }
    }
  }
}
