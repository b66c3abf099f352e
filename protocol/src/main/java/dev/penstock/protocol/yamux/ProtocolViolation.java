package dev.penstock.protocol.yamux;

/// The peer broke the specification; the session cannot go on. The message names what was seen and
/// what is allowed.
public final class ProtocolViolation extends Exception {
  private static final long serialVersionUID = 1L;

  public ProtocolViolation(String message) {
    super(message);
  }
}
