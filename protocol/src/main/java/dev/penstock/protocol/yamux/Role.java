package dev.penstock.protocol.yamux;

/// Which end of a session this is: it decides the parity of the stream ids that this end opens
/// (hashicorp/yamux spec.md, "StreamID Field").
public enum Role {
  /// Opens streams 1, 3, 5, ...
  CLIENT,
  /// Opens streams 2, 4, 6, ...
  SERVER;

  /// The other end.
  public Role peer() {
    return this == CLIENT ? SERVER : CLIENT;
  }
}
