package dev.penstock.agent.settings;

import dev.penstock.config.Kind;
import dev.penstock.config.Section;
import java.time.Duration;
import java.util.OptionalInt;

/// How the TCP connections to one service are made and kept: `tunnels.tcp`, and what
/// `tunnels.services[].tcp` says differently.
///
/// @param bufferSize `buffer_size`: bytes of the largest read of a service's connection, 1 KiB to 1
///   MiB; empty leaves it to the load, up to 256 KiB
/// @param keepAlive `keepalive`: whether the system asks a silent service if it is still there;
///   default true
/// @param keepAlivePeriod `keepalive_period`: silence before that, and time between two such
///   questions, 1 s to 1 h; default 30 s
/// @param connectionTimeout `connection_timeout`: for connecting, 100 ms to 10 min; default 30 s
/// @param idleTimeout `idle_timeout`: without bytes either way, after which a connection is cut,
///   100 ms to 168 h; zero for never, default 5 min
/// @param maxConnections `max_connections`: connections to one service at a time, 1 to 1000000;
///   default 1000
public record TcpSettings(
    OptionalInt bufferSize,
    KeepAlive keepAlive,
    Duration keepAlivePeriod,
    Duration connectionTimeout,
    Duration idleTimeout,
    int maxConnections) {
  private static final int KIB = 1024;
  private static final TcpSettings DEFAULTS =
      new TcpSettings(
          OptionalInt.empty(),
          KeepAlive.ON,
          Duration.ofSeconds(30),
          Duration.ofSeconds(30),
          Duration.ofMinutes(5),
          1000);

  /// Whether the system asks a silent service if it is still there.
  public enum KeepAlive {
    ON,
    OFF
  }

  /// What holds when nothing is said.
  public static TcpSettings defaults() {
    return DEFAULTS;
  }

  /// @param otherwise what holds for the keys that the section does not have
  static TcpSettings of(Section section, TcpSettings otherwise) {
    return new TcpSettings(
        bufferSize(section, otherwise.bufferSize),
        section.get("keepalive", Kind.flag(), otherwise.keepAlive == KeepAlive.ON)
            ? KeepAlive.ON
            : KeepAlive.OFF,
        section.get(
            "keepalive_period",
            Kind.duration(Duration.ofSeconds(1), Duration.ofHours(1)),
            otherwise.keepAlivePeriod),
        section.get(
            "connection_timeout",
            Kind.duration(Duration.ofMillis(100), Duration.ofMinutes(10)),
            otherwise.connectionTimeout),
        section.get(
            "idle_timeout",
            Kind.durationOrNever(Duration.ofMillis(100), Duration.ofDays(7)),
            otherwise.idleTimeout),
        section.get("max_connections", Kind.integer(1, 1_000_000), otherwise.maxConnections));
  }

  private static OptionalInt bufferSize(Section section, OptionalInt otherwise) {
    Kind<Integer> kind = Kind.size(KIB, KIB * KIB);
    return otherwise.isPresent()
        ? OptionalInt.of(section.get("buffer_size", kind, otherwise.getAsInt()))
        : section.find("buffer_size", kind).map(OptionalInt::of).orElse(otherwise);
  }
}
