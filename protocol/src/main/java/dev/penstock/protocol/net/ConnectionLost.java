package dev.penstock.protocol.net;

/// A connection ended without an orderly end of its byte stream: reset, timed out, or cut by this
/// process. Expected in daily life, hence without a stack trace.
public final class ConnectionLost extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public ConnectionLost(String message) {
    super(message, null, false, false);
  }
}
