package dev.penstock.protocol.yamux;

/// Why a stream ended.
public enum CloseCause {
  /// Both ends finished.
  FINISHED,
  /// The peer sent RST.
  RESET_BY_PEER,
  /// This end called [MuxStream#reset].
  RESET_LOCALLY,
  /// This end reset the stream because holding its unread bytes would have exceeded a [ByteBudget].
  OVER_BUDGET,
  /// This end reset the stream because the peer broke the rules for it.
  PEER_FAULT,
  /// The whole session ended under the stream.
  SESSION_ENDED
}
