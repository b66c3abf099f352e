package dev.penstock.agent.settings;

import dev.penstock.config.Kind;
import dev.penstock.config.Section;
import java.time.Duration;

/// How the UDP sessions of one service are served: `tunnels.udp`, and what `tunnels.services[].udp`
/// says differently.
///
/// @param bufferSize `buffer_size`: bytes of the largest datagram carried, 512 to 65535; default
///   65535
/// @param sessionTimeout `session_timeout`: without datagrams either way, after which a session
///   ends, 100 ms to 24 h; default 5 min
/// @param maxSessions `max_sessions`: sessions of one service at a time, 1 to 1000000; default
///   10000
public record UdpSettings(int bufferSize, Duration sessionTimeout, int maxSessions) {
  private static final UdpSettings DEFAULTS =
      new UdpSettings(65_535, Duration.ofMinutes(5), 10_000);

  /// What holds when nothing is said.
  public static UdpSettings defaults() {
    return DEFAULTS;
  }

  /// @param otherwise what holds for the keys that the section does not have
  static UdpSettings of(Section section, UdpSettings otherwise) {
    return new UdpSettings(
        section.get("buffer_size", Kind.size(512, 65_535), otherwise.bufferSize),
        section.get(
            "session_timeout",
            Kind.duration(Duration.ofMillis(100), Duration.ofDays(1)),
            otherwise.sessionTimeout),
        section.get("max_sessions", Kind.integer(1, 1_000_000), otherwise.maxSessions));
  }
}
