package dev.penstock.protocol.link;

/// Who watches a carried stream; called on the link's loop.
public interface StreamObserver {
  /// The peer reached the service. Told only where `dial-status` was agreed.
  void connected();

  /// The first payload left for the peer.
  default void firstSent() {}

  /// The first payload came from the peer.
  default void firstReceived() {}

  /// The peer's direction has ended, and all of it was handed on; ours goes on.
  default void peerFinished() {}

  /// The stream is over; told exactly once.
  void ended(StreamEnd end);
}
