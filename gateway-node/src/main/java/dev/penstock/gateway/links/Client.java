package dev.penstock.gateway.links;

import dev.penstock.observe.Passage;
import dev.penstock.protocol.control.TraceContext;
import dev.penstock.protocol.net.TcpConnection;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/// One client of one tunnel, until it is carried to its end.
///
/// @param owner gets the client back when it could not be carried
/// @param early what it said to an agent that then failed to reach the service; said again to the
///   next one
/// @param tried ways that failed
/// @param acceptedAt when it came, in nanoseconds of the monotonic clock
/// @param takenAt when its tunnel took it up
/// @param trace the trace that it is the first span of; null where it is not traced
public record Client(
    TcpConnection connection,
    Service tunnel,
    ActorRef<NotCarried> owner,
    List<ByteBuffer> early,
    Set<Way> tried,
    long acceptedAt,
    long takenAt,
    @Nullable TraceContext trace) {
  public Client {
    tried = Set.copyOf(tried);
  }

  /// What the access log tells of it, without how it ended.
  ///
  /// @param node the other node that it was given to, empty when it was none
  public Passage passage(Passage.Kind kind, String node) {
    return tunnel
        .describe(
            new Passage(kind, acceptedAt), connection.remoteAddress(), connection.localAddress())
        .with("via", node)
        .with("tries", tried.size() + 1)
        .traced(trace, null)
        .step(Passage.Step.ACCEPT, acceptedAt, takenAt);
  }

  /// The same client after `way` failed.
  public Client after(Way way, List<ByteBuffer> said) {
    var all = new HashSet<Way>(tried);
    all.add(way);
    return new Client(
        connection, tunnel, owner, said.isEmpty() ? early : said, all, acceptedAt, takenAt, trace);
  }
}
