package dev.penstock.gateway.relay;

import dev.penstock.protocol.link.Link;
import dev.penstock.protocol.net.Loop;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/// The place of one link to one event loop of another node, whether the link is up or not. Safe for
/// use by several threads.
final class RelaySlot {
  private final RemoteNodes.RemoteNode node;
  private final int loopThere;
  private final Loop loop;
  private final ActorRef<Relay.Command> parent;
  private final AtomicInteger outstanding = new AtomicInteger();

  /// Guarded by this.
  private @Nullable ActorRef<RelayLink.Command> actor;

  /// To be used on the loop only.
  private @Nullable Link link;

  private volatile boolean knowsTraces;
  private volatile boolean rests;
  private volatile long restsUntil;

  /// @param loopThere the loop of the other node
  /// @param loop the loop here
  RelaySlot(RemoteNodes.RemoteNode node, int loopThere, Loop loop, ActorRef<Relay.Command> parent) {
    this.node = node;
    this.loopThere = loopThere;
    this.loop = loop;
    this.parent = parent;
  }

  RemoteNodes.RemoteNode node() {
    return node;
  }

  int loopThere() {
    return loopThere;
  }

  Loop loop() {
    return loop;
  }

  /// Tells the link's actor, or has one made.
  synchronized void tell(RelayLink.Command command) {
    if (actor == null) {
      parent.tell(new Relay.ToLink(this, command));
    } else {
      actor.tell(command);
    }
  }

  synchronized @Nullable ActorRef<RelayLink.Command> actor() {
    return actor;
  }

  synchronized void actor(ActorRef<RelayLink.Command> running) {
    actor = running;
  }

  /// Whether the actor may end: no stream uses the slot, so that nothing is on its way to it.
  synchronized boolean retire() {
    if (outstanding.get() > 0) {
      return false;
    }
    actor = null;
    return true;
  }

  /// The actor ended on its own.
  synchronized void gone(ActorRef<RelayLink.Command> ended) {
    if (ended.equals(actor)) {
      actor = null;
    }
  }

  int outstanding() {
    return outstanding.get();
  }

  void chosen() {
    outstanding.incrementAndGet();
  }

  void released() {
    outstanding.decrementAndGet();
  }

  @Nullable Link link() {
    return link;
  }

  /// Whether the node there understands which trace a stream belongs to.
  boolean knowsTraces() {
    return knowsTraces;
  }

  void knowsTraces(boolean now) {
    knowsTraces = now;
  }

  void link(@Nullable Link up) {
    link = up;
  }

  /// The last try failed: there is no other before that time.
  void restUntil(long nanos) {
    restsUntil = nanos;
    rests = true;
  }

  void restNoMore() {
    rests = false;
  }

  boolean isResting(long now) {
    return rests && now - restsUntil < 0;
  }
}
