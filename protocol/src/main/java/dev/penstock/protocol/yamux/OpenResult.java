package dev.penstock.protocol.yamux;

/// The outcome of [YamuxSession#open].
public sealed interface OpenResult {
  record Opened(YamuxStream stream) implements OpenResult {}

  record Refused(Reason reason) implements OpenResult {}

  /// Why no stream could be opened.
  enum Reason {
    /// Either end said GoAway, or the session ended.
    GOING_AWAY,
    /// [SessionSettings#maxStreams] are open.
    TOO_MANY_STREAMS,
    /// [SessionSettings#maxPendingOpens] streams wait for the peer already.
    TOO_MANY_PENDING,
    /// All 2^31 ids of our parity were used.
    IDS_EXHAUSTED
  }
}
