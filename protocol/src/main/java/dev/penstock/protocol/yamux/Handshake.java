package dev.penstock.protocol.yamux;

/// How far the two ends agree that a stream exists.
///
/// ```
///   ours:    WAITING --SYN sent--> SYN_SENT --ACK received--> DONE
///   peer's:  OFFERED --accept(), ACK sent--> DONE
/// ```
enum Handshake {
  /// Ours; the SYN waits until the peer has room in its backlog. Nothing else may be sent.
  WAITING,
  /// Ours; counts against the peer's backlog. Data may be sent.
  SYN_SENT,
  /// The peer's; counts against our backlog.
  OFFERED,
  DONE
}
