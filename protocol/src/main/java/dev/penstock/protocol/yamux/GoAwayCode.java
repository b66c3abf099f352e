package dev.penstock.protocol.yamux;

/// Why a session ends (hashicorp/yamux spec.md, "Go Away").
public enum GoAwayCode {
  NORMAL(0),
  PROTOCOL_ERROR(1),
  INTERNAL_ERROR(2);

  private final int wire;

  GoAwayCode(int wire) {
    this.wire = wire;
  }

  /// The number in the length field of the GoAway frame.
  public int wire() {
    return wire;
  }

  /// The code of a number on the wire; one that the protocol does not know is an internal error of
  /// the peer, since it says that something ended the session and not what.
  static GoAwayCode of(int wire) {
    for (GoAwayCode code : values()) {
      if (code.wire == wire) {
        return code;
      }
    }
    return INTERNAL_ERROR;
  }
}
