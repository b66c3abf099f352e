package dev.penstock.protocol.net;

import java.time.Duration;

/// Limits of a WebSocket.
///
/// @param maxText bytes of the largest text message taken, fragments together
/// @param maxFrame payload bytes of the largest frame taken
/// @param handshakeTimeout from the connection until the upgrade is done (TLS included)
public record WebSocketSettings(int maxText, int maxFrame, Duration handshakeTimeout) {
  public static WebSocketSettings defaults() {
    return new WebSocketSettings(4 * 1024 * 1024, 4 * 1024 * 1024, Duration.ofSeconds(10));
  }
}
