package dev.penstock.protocol.yamux;

/// The limits of one session.
///
/// @param maxWindow receive window in bytes up to which a stream may be tuned (256 KiB to 1 GiB)
/// @param maxFrame payload bytes of the largest data frame we send (1 KiB to 1 MiB); more than
///   [#steadyFrame] only while the link is fast
/// @param acceptBacklog streams opened by the peer and not yet accepted, beyond which new ones are
///   reset; also how many unacknowledged SYNs we leave open, because peers have the same bound
/// @param maxStreams streams of one session, both directions together; beyond it the peer's are
///   reset and ours refused
/// @param maxPendingOpens streams of ours that wait for the peer's acknowledgements before their
///   SYN is sent
/// @param maxControlBacklog control frames (ping answers, window updates, resets) waiting to be
///   sent, beyond which the peer is told a protocol error: it floods us faster than it reads
public record SessionSettings(
    int maxWindow,
    int maxFrame,
    int acceptBacklog,
    int maxStreams,
    int maxPendingOpens,
    int maxControlBacklog) {
  /// The window that every stream starts with, fixed by the protocol.
  public static final int INITIAL_WINDOW = 256 * 1024;

  private static final int STEADY_FRAME = 32 * 1024;

  /// @throws IllegalArgumentException a value is out of its bounds; the message names it
  public SessionSettings {
    require("maxWindow", maxWindow, INITIAL_WINDOW, 1 << 30);
    require("maxFrame", maxFrame, 1024, 1024 * 1024);
    require("acceptBacklog", acceptBacklog, 1, Integer.MAX_VALUE);
    require("maxStreams", maxStreams, 1, 1 << 24);
    require("maxPendingOpens", maxPendingOpens, 0, Integer.MAX_VALUE);
    require("maxControlBacklog", maxControlBacklog, 1, 1 << 24);
  }

  /// Payload bytes that a data frame may have on any link.
  public int steadyFrame() {
    return Math.min(maxFrame, STEADY_FRAME);
  }

  private static void require(String name, int value, int least, int most) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          name + ": " + value + " (expected: " + least + " to " + most + ")");
    }
  }

  public static SessionSettings defaults() {
    return new SessionSettings(16 * 1024 * 1024, 128 * 1024, 256, 20_000, 20_000, 65_536);
  }
}
