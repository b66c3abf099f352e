package dev.penstock.protocol.link;

import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.json.TunnelFault;

/// What a link tells its owner; called on the link's loop. Implementations hand on to an actor and
/// return.
public interface LinkListener {
  /// A control message arrived.
  void control(ControlMessage message);

  /// The peer opened a stream and said what it is for. Carry it ([LinkStream#flow]) or refuse it.
  void requested(LinkStream stream, StreamHeader header);

  /// Something of the peer's was refused without ending the link.
  void refused(Refusal refusal);

  /// What was measured since the last call; about once a second while the link runs.
  default void measured(LinkSample sample) {}

  /// The peer's session owes the answer to a ping for longer than is usual, and says nothing else.
  default void silent() {}

  /// The session that was [#silent] says something again.
  default void speaksAgain() {}

  /// The link is over; nothing follows.
  void ended(LinkEnd end);

  /// What a peer did that was refused while its link goes on.
  enum Refusal {
    /// A stream opened by an end that has no business to open any.
    FOREIGN_STREAM,
    /// A stream whose header was malformed.
    BAD_STREAM_HEADER,
    /// A stream that sent no header in time.
    STREAM_HEADER_TIMEOUT,
    /// A message of a tunnel on a link that carries none in JSON.
    UNEXPECTED_TUNNEL_MESSAGE,
    /// As [TunnelFault#UNREADABLE].
    UNREADABLE_TUNNEL_MESSAGE,
    /// As [TunnelFault#SEQUENCE].
    TUNNEL_SEQUENCE,
    /// As [TunnelFault#CREDIT].
    TUNNEL_CREDIT,
    /// As [TunnelFault#AFTER_FIN].
    TUNNEL_DATA_AFTER_FIN,
    /// As [TunnelFault#DIAL].
    TUNNEL_DIAL,
    /// As [TunnelFault#DUPLICATE_ID].
    DUPLICATE_TUNNEL_ID,
    /// As [TunnelFault#TOO_MANY_STREAMS].
    TOO_MANY_STREAMS;

    static Refusal of(TunnelFault fault) {
      return switch (fault) {
        case UNREADABLE -> UNREADABLE_TUNNEL_MESSAGE;
        case SEQUENCE -> TUNNEL_SEQUENCE;
        case CREDIT -> TUNNEL_CREDIT;
        case AFTER_FIN -> TUNNEL_DATA_AFTER_FIN;
        case DIAL -> TUNNEL_DIAL;
        case DUPLICATE_ID -> DUPLICATE_TUNNEL_ID;
        case TOO_MANY_STREAMS -> TOO_MANY_STREAMS;
        case FOREIGN_STREAM -> FOREIGN_STREAM;
      };
    }
  }
}
