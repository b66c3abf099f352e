package dev.penstock.protocol.net;

import java.time.Duration;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// What the server answers to an [UpgradeRequest].
public sealed interface UpgradeAnswer {
  /// The upgrade is done, and `connected` gets the WebSocket on its loop.
  record Accept(Consumer<WebSocketConnection> connected) implements UpgradeAnswer {}

  /// An HTTP error with a problem document, then the end of the connection.
  ///
  /// @param retryAfter when to come again, told in whole seconds, rounded up; null leaves it open
  record Refuse(int status, String contentType, String body, @Nullable Duration retryAfter)
      implements UpgradeAnswer {
    /// One that does not say when to come again.
    public Refuse(int status, String contentType, String body) {
      this(status, contentType, body, null);
    }
  }
}
