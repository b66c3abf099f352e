package dev.penstock.protocol.control;

import dev.penstock.protocol.control.ControlMessage.GatewayHello;
import java.nio.ByteBuffer;

/// One message of a tunnel that is carried in JSON instead of yamux. All but [UdpData] belong to a
/// stream, which `request_id` names.
///
/// What the original does not know (`seq`, `fin`, `credits`, `listener_addr`, `protocol` and the
/// types [Credit] and [Dial]) is sent only where both ends named [Capability#CREDITS].
public sealed interface TunnelMessage {
  /// The stream; `""` only for datagrams of the original.
  String requestId();

  /// The gateway opens a stream.
  ///
  /// @param header what it is for, as at the head of a yamux stream
  /// @param gatewayPort the listener's port of the Gateway that asked for the tunnel: the only
  ///   field that the original dials by; 0 when unknown
  /// @param credits bytes that the agent may send before it gets a [Credit]; [#NO_CREDITS] towards
  ///   the original, which knows none
  record Start(String requestId, StreamHeader header, int gatewayPort, int credits)
      implements TunnelMessage {
    public static final int NO_CREDITS = 0;

    public Start {
      if (credits < 0 || credits > GatewayHello.MAX_WINDOW) {
        throw new IllegalArgumentException(
            "credits: " + credits + " (expected: 0.." + GatewayHello.MAX_WINDOW + ")");
      }
    }
  }

  /// Bytes of a stream.
  ///
  /// @param data given away with the message
  /// @param seq counts the messages of one stream and direction from 0; [#NO_SEQ] when there is
  ///   none
  /// @param mark whether anything follows in this direction
  record Data(String requestId, Direction direction, ByteBuffer data, long seq, Mark mark)
      implements TunnelMessage {
    public static final long NO_SEQ = -1;

    /// As the original has it: no number, no end.
    public static Data plain(String requestId, ByteBuffer data) {
      return new Data(requestId, Direction.TO_AGENT, data, NO_SEQ, Mark.MORE);
    }
  }

  /// Whether a message is the last of its direction.
  enum Mark {
    MORE,
    FIN
  }

  /// Which way bytes go; the original names only the way to the gateway.
  enum Direction {
    TO_AGENT,
    TO_GATEWAY
  }

  /// A stream is over in both directions. With [Capability#CREDITS] that is always a reset, as an
  /// orderly end has [Mark#FIN]s.
  ///
  /// @param reason a word, as `connection_failed` or `service_closed` of the original
  /// @param error details for people; may be empty
  record Close(String requestId, String reason, String error) implements TunnelMessage {}

  /// The peer may send so many bytes more, at least 1.
  record Credit(String requestId, int bytes) implements TunnelMessage {}

  /// The agent's answer to a [Start], before any data: how its dial went.
  record Dial(String requestId, DialStatus status) implements TunnelMessage {}

  /// A datagram as the original carries it.
  ///
  /// @param tunnelId one socket of the original agent, whose answers go to every client seen on it
  /// @param clientAddr without the port
  record UdpData(
      String tunnelId,
      Direction direction,
      ByteBuffer data,
      String clientAddr,
      int clientPort,
      int gatewayPort)
      implements TunnelMessage {
    @Override
    public String requestId() {
      return "";
    }
  }

  /// A message of a tunnel that breaks the rules for its fields, as base64 that is none: the fault
  /// is that stream's alone.
  ///
  /// @param problem what is wrong, fit for a log
  record Unreadable(String requestId, String problem) implements TunnelMessage {}
}
