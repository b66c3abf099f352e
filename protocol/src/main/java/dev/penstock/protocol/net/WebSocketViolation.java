package dev.penstock.protocol.net;

/// The peer broke RFC 6455 or a limit of ours; it was told so in a close frame. Expected from
/// hostile peers, hence without a stack trace.
public final class WebSocketViolation extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int code;

  public WebSocketViolation(int code, String message) {
    super(message, null, false, false);
    this.code = code;
  }

  /// The close code that the peer got.
  public int code() {
    return code;
  }
}
