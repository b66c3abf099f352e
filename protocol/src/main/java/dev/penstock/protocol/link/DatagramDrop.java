package dev.penstock.protocol.link;

import java.util.Locale;

/// Why a datagram was not carried on.
public enum DatagramDrop {
  /// Newer datagrams of its flow pushed it out of the flow's queue.
  QUEUE_FULL,
  /// All queues of the process together hold as much as they may.
  OVER_BUDGET,
  /// It is larger than `buffer_size` allows.
  TOO_LARGE,
  /// An original agent cannot take it whole: it is empty, or larger than 32768 bytes.
  UNSUPPORTED_SIZE,
  /// No agent of the tunnel's cluster is linked.
  NO_LINK,
  /// It would have begun a session, and there are as many as may be.
  TOO_MANY_SESSIONS,
  /// It would have begun a session on a node that is about to end.
  DRAINING,
  /// Access rules do not let its source begin a session, or not now.
  SOURCE_REFUSED,
  /// No agent could reach the service.
  DIAL_FAILED,
  /// Its session ended before it was sent.
  SESSION_ENDED,
  /// The peer's frame was malformed.
  MALFORMED,
  /// The socket had as much to send as it may.
  SOCKET_FULL,
  /// The system refused to send it.
  SEND_FAILED,
  /// The kernel dropped it because the socket's receive buffer was full.
  RECEIVE_BUFFER_FULL;

  /// The name in snake case, as a value of a metric's label.
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
