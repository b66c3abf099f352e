package dev.penstock.gateway.tunnels;

import dev.penstock.gateway.links.AgentLink;
import dev.penstock.protocol.net.TcpConnection;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;

/// One client of one tunnel, until it is carried to its end.
///
/// @param early what it said to an agent that then failed to reach the service; said again to the
///   next one
/// @param tried links that failed
/// @param acceptedAt nanoseconds of the monotonic clock
public record Client(
    TcpConnection connection,
    Tunnel.Facts tunnel,
    ActorRef<Tunnel.Command> owner,
    List<ByteBuffer> early,
    Set<AgentLink> tried,
    long acceptedAt) {
  public Client {
    tried = Set.copyOf(tried);
  }

  /// The same client after `link` failed.
  Client after(AgentLink link, List<ByteBuffer> said) {
    var all = new HashSet<>(tried);
    all.add(link);
    return new Client(connection, tunnel, owner, said.isEmpty() ? early : said, all, acceptedAt);
  }
}
