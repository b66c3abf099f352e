package dev.penstock.testkit.bench.load;

import java.net.ProtocolException;

/// What the [target][TargetMain] does with a connection; the client's first byte says it.
enum Mode {
  /// Every byte comes back, this first one too.
  ECHO('E'),
  /// The target pushes for as long as the connection lasts.
  SOURCE('S'),
  /// The target reads, counts and forgets.
  SINK('D');

  final byte wire;

  Mode(char wire) {
    this.wire = (byte) wire;
  }

  /// @throws ProtocolException for a byte that means nothing: not one of our clients
  static Mode of(byte wire) throws ProtocolException {
    for (Mode mode : values()) {
      if (mode.wire == wire) {
        return mode;
      }
    }
    throw new ProtocolException("mode: " + wire + " (expected: one of E, S, D)");
  }
}
