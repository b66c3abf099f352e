package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.config.Units;
import java.time.Duration;
import java.util.Optional;

/// After which silence a tunnel's connections are cut, as objects say it.
final class IdleTimeout {
  /// The annotation of the original agent.
  static final String ANNOTATION = "pipeops.io/idle-timeout";

  static final String EXPECTED = "a duration from 100ms to 24h, such as 10m";

  private static final Duration MIN = Duration.ofMillis(100);
  private static final Duration MAX = Duration.ofHours(24);

  private IdleTimeout() {}

  /// Empty when the text is none.
  static Optional<Duration> parse(String text) {
    return Units.duration(text)
        .filter(value -> value.compareTo(MIN) >= 0 && value.compareTo(MAX) <= 0);
  }
}
