package dev.penstock.protocol.link;

import dev.penstock.protocol.control.DialStatus;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// How carrying one stream ended.
///
/// @param cause the kind, a closed set fit for a meter's label
/// @param toPeer bytes taken from this side's connection
/// @param fromPeer bytes given to this side's connection
/// @param dial what the peer said about its dial, or what is inferred, when that failed
/// @param early what was sent before a reported dial failed, to be said again on another link
public record StreamEnd(
    Cause cause, long toPeer, long fromPeer, @Nullable DialStatus dial, List<ByteBuffer> early) {
  /// The kinds of ends.
  public enum Cause {
    /// Both directions ended in order.
    FINISHED,
    /// The connection on this side was reset or lost.
    RESET_HERE,
    /// The connection on this side was cut because nothing went over it for too long.
    IDLE,
    /// The connection on this side was cut because an operator wanted that.
    OPERATOR,
    /// The peer, which cannot say why it ended its direction, did so long ago, and the connection
    /// on this side still has not ended its own.
    HALF_CLOSED,
    /// The peer reset the stream.
    RESET_BY_PEER,
    /// The reader was so slow that its unread bytes met the memory budget.
    OVER_BUDGET,
    /// The peer broke the rules for this stream, and it was reset for that.
    PEER_FAULT,
    /// The link was lost under the stream.
    LINK_LOST,
    /// The peer could not reach the service; the connection on this side is untouched and may be
    /// carried again, unless that was only inferred and bytes were sent: who has them is not known
    /// then.
    DIAL_FAILED
  }
}
