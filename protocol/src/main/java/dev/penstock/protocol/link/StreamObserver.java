package dev.penstock.protocol.link;

/// Who watches a carried stream; called on the link's loop.
public interface StreamObserver {
  /// The peer reached the service. Told only where `dial-status` was agreed.
  void connected();

  /// The stream is over; told exactly once.
  void ended(StreamEnd end);
}
