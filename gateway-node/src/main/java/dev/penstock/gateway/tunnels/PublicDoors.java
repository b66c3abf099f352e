package dev.penstock.gateway.tunnels;

import java.util.HashSet;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;

/// Whether this node takes clients. Closed once, when it drains: every tunnel is told then, and so
/// is one that comes later. Safe for use by several threads.
public final class PublicDoors {
  private final Set<ActorRef<Tunnel.Command>> tunnels = new HashSet<>();
  private boolean closed;

  /// A tunnel takes clients from now on.
  synchronized void opened(ActorRef<Tunnel.Command> tunnel) {
    if (closed) {
      tunnel.tell(new Tunnel.CloseDoor());
    } else {
      tunnels.add(tunnel);
    }
  }

  /// A tunnel has stopped.
  synchronized void gone(ActorRef<Tunnel.Command> tunnel) {
    tunnels.remove(tunnel);
  }

  /// No tunnel takes a new client from now on. Those that were taken stay.
  public synchronized void close() {
    closed = true;
    tunnels.forEach(tunnel -> tunnel.tell(new Tunnel.CloseDoor()));
    tunnels.clear();
  }
}
