package dev.penstock.gateway.links;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/// The UDP sessions of this node, over links to it and over the relay, so that those on which
/// nothing goes do not hold up a node that drains. Safe for use by several threads.
public final class UdpSessions {
  private final Set<ActorRef<UdpSession.Command>> running = ConcurrentHashMap.newKeySet();
  private volatile @Nullable Duration quiet;

  /// Has every session end, also one that begins later, once nothing has gone in either direction
  /// for so long. A session whose own time-out is shorter keeps that.
  public void endQuiet(Duration after) {
    quiet = after;
    running.forEach(session -> session.tell(new UdpSession.EndQuiet(after)));
  }

  /// A session begins; it must be told of its [#ended].
  void began(ActorRef<UdpSession.Command> session) {
    running.add(session);
    Duration after = quiet;
    if (after != null) {
      session.tell(new UdpSession.EndQuiet(after));
    }
  }

  void ended(ActorRef<UdpSession.Command> session) {
    running.remove(session);
  }
}
