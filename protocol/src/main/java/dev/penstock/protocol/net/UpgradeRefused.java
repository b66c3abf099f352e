package dev.penstock.protocol.net;

/// The server answered an upgrade with another status than 101. Expected, hence without a stack
/// trace.
public final class UpgradeRefused extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int status;

  public UpgradeRefused(int status, String message) {
    super(message, null, false, false);
    this.status = status;
  }

  public int status() {
    return status;
  }
}
