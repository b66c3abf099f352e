package dev.penstock.gateway.links;

import dev.penstock.protocol.net.TcpConnection;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;

/// One client of one tunnel, until it is carried to its end.
///
/// @param owner gets the client back when it could not be carried
/// @param early what it said to an agent that then failed to reach the service; said again to the
///   next one
/// @param tried ways that failed
/// @param acceptedAt nanoseconds of the monotonic clock
public record Client(
    TcpConnection connection,
    Service tunnel,
    ActorRef<NotCarried> owner,
    List<ByteBuffer> early,
    Set<Way> tried,
    long acceptedAt) {
  public Client {
    tried = Set.copyOf(tried);
  }

  /// The same client after `way` failed.
  public Client after(Way way, List<ByteBuffer> said) {
    var all = new HashSet<Way>(tried);
    all.add(way);
    return new Client(connection, tunnel, owner, said.isEmpty() ? early : said, all, acceptedAt);
  }
}
