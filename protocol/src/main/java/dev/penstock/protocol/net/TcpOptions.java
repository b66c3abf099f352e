package dev.penstock.protocol.net;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// What a TCP connection that is made here is told at its start.
///
/// @param keepAlive silence before the system asks the peer whether it is still there, and between
///   two such questions, in whole seconds, 1 s to 9 h; null asks never
/// @param largestRead bytes that one read takes at most, and with it the pieces that the flow
///   carries; 0 leaves it to the load: up to 256 KiB while few connections are busy
public record TcpOptions(@Nullable Duration keepAlive, int largestRead) {
  /// Linux takes no more seconds than fit in 15 bits.
  private static final Duration LONGEST = Duration.ofSeconds(32_767);

  public TcpOptions {
    if (keepAlive != null && (keepAlive.toSeconds() < 1 || keepAlive.compareTo(LONGEST) > 0)) {
      throw new IllegalArgumentException(
          "keepAlive: " + keepAlive + " (expected: 1 s to " + LONGEST.toSeconds() + " s)");
    }
    if (largestRead < 0) {
      throw new IllegalArgumentException("largestRead: " + largestRead + " (expected: 0 or more)");
    }
  }

  /// Questions after half a minute of silence, reads by load.
  public static TcpOptions defaults() {
    return new TcpOptions(Duration.ofSeconds(30), 0);
  }
}
