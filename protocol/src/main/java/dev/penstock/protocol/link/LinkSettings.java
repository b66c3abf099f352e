package dev.penstock.protocol.link;

import dev.penstock.protocol.yamux.SessionSettings;
import java.time.Duration;

/// Limits and timers of one link.
///
/// @param yamux limits of its session
/// @param maxText characters of the largest control message taken
/// @param sessionBudget bytes that the session may hold for slow readers
/// @param keepAliveInterval how often the session is pinged
/// @param keepAliveTimeout how long an answer may take before the link is given up
/// @param headerTimeout how long an opened stream may take to say what it is for
public record LinkSettings(
    SessionSettings yamux,
    int maxText,
    long sessionBudget,
    Duration keepAliveInterval,
    Duration keepAliveTimeout,
    Duration headerTimeout) {
  public static LinkSettings defaults() {
    return new LinkSettings(
        SessionSettings.defaults(),
        4 * 1024 * 1024,
        128L * 1024 * 1024,
        Duration.ofSeconds(15),
        Duration.ofSeconds(10),
        Duration.ofSeconds(10));
  }
}
