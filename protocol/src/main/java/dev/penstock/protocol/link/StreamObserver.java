package dev.penstock.protocol.link;

import dev.penstock.protocol.control.DialStatus;

/// Who watches a carried stream; called on the link's loop.
public interface StreamObserver {
  /// What counts the stream's payload; asked once for each carried stream.
  default ByteCount count() {
    return new ByteCount();
  }

  /// The peer reached the service. Told only where `dial-status` was agreed.
  void connected();

  /// As [#connected()], with what the peer said of it.
  default void connected(DialStatus status) {
    connected();
  }

  /// The first payload left for the peer.
  default void firstSent() {}

  /// The first payload came from the peer.
  default void firstReceived() {}

  /// The peer ended its direction in order and all of it was handed on; told before that end is
  /// passed on.
  default void peerFinished() {}

  /// The stream is over; told exactly once.
  void ended(StreamEnd end);
}
