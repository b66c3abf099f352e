package dev.penstock.protocol.net;

/// A handshake before a link did not come to its end. Expected in daily life, hence without a stack
/// trace.
public final class PrefaceFailed extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /// What went wrong.
  public enum Kind {
    /// What came is no message of a [Preface].
    FOREIGN,
    /// A message is longer than any may be.
    TOO_LONG,
    /// It was not done in time.
    TIMED_OUT,
    /// Too many others are at it.
    TOO_MANY,
    /// The connection ended or failed, or no TLS came about.
    LOST,
    /// One end refused the other.
    REFUSED
  }

  private final Kind kind;

  public PrefaceFailed(Kind kind, String message) {
    super(message, null, false, false);
    this.kind = kind;
  }

  public Kind kind() {
    return kind;
  }
}
