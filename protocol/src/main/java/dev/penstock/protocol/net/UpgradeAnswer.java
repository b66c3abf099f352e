package dev.penstock.protocol.net;

import java.util.function.Consumer;

/// What the server answers to an [UpgradeRequest].
public sealed interface UpgradeAnswer {
  /// The upgrade is done, and `connected` gets the WebSocket on its loop.
  record Accept(Consumer<WebSocketConnection> connected) implements UpgradeAnswer {}

  /// An HTTP error with a problem document, then the end of the connection.
  record Refuse(int status, String contentType, String body) implements UpgradeAnswer {}
}
