package dev.penstock.protocol.link;

/// Why a link ended.
///
/// @param cause the kind, a closed set fit for a meter's label
/// @param detail what exactly, for the log
public record LinkEnd(Cause cause, String detail) {
  /// The kinds of ends.
  public enum Cause {
    /// This end closed it on purpose.
    CLOSED,
    /// The peer closed it with the closing handshake.
    CLOSED_BY_PEER,
    /// The connection was lost.
    LOST,
    /// The peer did not answer pings.
    KEEPALIVE_TIMEOUT,
    /// The agent did not serve canary streams, or the gateway sent none.
    CANARY_TIMEOUT,
    /// The peer broke WebSocket rules or limits.
    WEBSOCKET_VIOLATION,
    /// The peer broke yamux rules.
    YAMUX_VIOLATION,
    /// The peer broke a rule of tunnels in JSON that concerns the whole link.
    TUNNEL_VIOLATION,
    /// The peer sent a control message that cannot be understood.
    MALFORMED_MESSAGE,
    /// The peer does not read what it is sent.
    NOT_READING
  }
}
