package dev.penstock.testkit.bench.load;

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

  static Mode of(byte wire) {
    for (Mode mode : values()) {
      if (mode.wire == wire) {
        return mode;
      }
    }
    throw new IllegalArgumentException("mode: " + wire + " (expected: one of E, S, D)");
  }
}
