package dev.penstock.protocol.net;

/// A connection could not be made. Expected in daily life, hence without a stack trace; the message
/// names the address.
public final class DialFailure extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /// What stood in the way.
  public enum Kind {
    REFUSED,
    TIMED_OUT,
    UNREACHABLE,
    NAME_NOT_RESOLVED,
    FAILED
  }

  private final Kind kind;

  public DialFailure(Kind kind, String message) {
    super(message, null, false, false);
    this.kind = kind;
  }

  public Kind kind() {
    return kind;
  }
}
