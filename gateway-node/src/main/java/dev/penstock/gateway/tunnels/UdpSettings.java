package dev.penstock.gateway.tunnels;

import dev.penstock.config.Kind;
import dev.penstock.config.Section;
import java.time.Duration;

/// Limits of UDP tunnels.
///
/// @param sessionTimeout `gateway.udp.session_timeout`: a client's flow ends when nothing has gone
///   in either direction for so long, 1 s to 24 h; default 5 min
/// @param maxSessions `gateway.udp.max_sessions`: flows of one tunnel at a time, 1 to 1000000;
///   default 10000
/// @param bufferSize `gateway.udp.buffer_size`: bytes of the largest datagram taken, 512 to 65535;
///   default 65535 takes all that there are
/// @param queueSize `gateway.udp.queue_size`: bytes of one flow that may wait for its link, 128 KiB
///   to 64 MiB; default 1 MiB
public record UdpSettings(Duration sessionTimeout, int maxSessions, int bufferSize, int queueSize) {
  private static final int KIB = 1024;
  private static final int MIB = 1024 * KIB;

  /// Reads `gateway.udp`.
  public static UdpSettings of(Section section) {
    return new UdpSettings(
        section.get(
            "session_timeout",
            Kind.duration(Duration.ofSeconds(1), Duration.ofHours(24)),
            Duration.ofMinutes(5)),
        section.get("max_sessions", Kind.integer(1, 1_000_000), 10_000),
        section.get("buffer_size", Kind.integer(512, 65_535), 65_535),
        section.get("queue_size", Kind.size(128 * KIB, 64 * MIB), MIB));
  }
}
