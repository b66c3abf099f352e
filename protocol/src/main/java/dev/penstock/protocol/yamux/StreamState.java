package dev.penstock.protocol.yamux;

/// Which directions of a stream are finished.
///
/// ```
///              our FIN               peer's FIN
///        +---------------> WE_FINISHED ------------+
///        |                                         v    all bytes consumed
///      OPEN                                  BOTH_FINISHED -------> CLOSED
///        |                                         ^
///        +---------------> PEER_FINISHED ----------+
///            peer's FIN               our FIN
///
///   RST of either end, a budget overrun, the end of the session: every state -> CLOSED
/// ```
///
/// In `BOTH_FINISHED` the wire has forgotten the stream: no frame is sent, and the peer may send
/// window updates only. The stream stays, and holds its share of the budget, as long as received
/// bytes are unread.
enum StreamState {
  OPEN,
  WE_FINISHED,
  PEER_FINISHED,
  BOTH_FINISHED,
  CLOSED;

  StreamState afterOurFin() {
    return switch (this) {
      case OPEN -> WE_FINISHED;
      case PEER_FINISHED -> BOTH_FINISHED;
      case WE_FINISHED, BOTH_FINISHED, CLOSED -> throw new IllegalStateException("FIN in " + this);
    };
  }

  /// The peer's FIN must not come when [#peerFinished] or in `CLOSED`.
  StreamState afterPeerFin() {
    return switch (this) {
      case OPEN -> PEER_FINISHED;
      case WE_FINISHED -> BOTH_FINISHED;
      case PEER_FINISHED, BOTH_FINISHED, CLOSED ->
          throw new IllegalStateException("peer's FIN in " + this);
    };
  }

  boolean peerFinished() {
    return this == PEER_FINISHED || this == BOTH_FINISHED;
  }
}
