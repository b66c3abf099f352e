package dev.penstock.protocol.net;

import java.time.Duration;

/// The server answered an upgrade with another status than 101. Expected, hence without a stack
/// trace.
public final class UpgradeRefused extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int status;
  private final Duration retryAfter;

  /// @param retryAfter see [#retryAfter]
  public UpgradeRefused(int status, Duration retryAfter, String message) {
    super(message, null, false, false);
    this.status = status;
    this.retryAfter = retryAfter;
  }

  public int status() {
    return status;
  }

  /// How long the server wants to be left alone, as it said it; zero when it did not say.
  public Duration retryAfter() {
    return retryAfter;
  }
}
