package dev.penstock.protocol.net;

/// Fails a [TcpConnection]'s flow from upstream to end the flow and keep the connection: unread
/// bytes stay in it, and another flow may follow. A signal, not an error, hence without a stack
/// trace.
public final class Detach extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public Detach() {
    super("detached", null, false, false);
  }
}
