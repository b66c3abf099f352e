package dev.penstock.protocol.yamux;

import org.jspecify.annotations.Nullable;

/// The second byte of a frame header (hashicorp/yamux spec.md, "Type Field").
enum FrameType {
  /// Bytes of a stream; the length field counts them.
  DATA(0),
  /// Credit for a stream; the length field is the increment. Also carries flags that come without
  /// data.
  WINDOW_UPDATE(1),
  /// Liveness and round-trip time; the length field is an opaque value that the answer repeats.
  PING(2),
  /// The end of a session; the length field is a [GoAwayCode].
  GO_AWAY(3);

  private final int wire;

  FrameType(int wire) {
    this.wire = wire;
  }

  int wire() {
    return wire;
  }

  /// Null for a number that the protocol does not know.
  static @Nullable FrameType of(int wire) {
    return switch (wire) {
      case 0 -> DATA;
      case 1 -> WINDOW_UPDATE;
      case 2 -> PING;
      case 3 -> GO_AWAY;
      default -> null;
    };
  }

  /// Whether frames of this type belong to a stream, and so carry an id other than 0.
  boolean ofStream() {
    return this == DATA || this == WINDOW_UPDATE;
  }
}
