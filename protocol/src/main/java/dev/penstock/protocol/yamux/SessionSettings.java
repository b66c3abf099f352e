package dev.penstock.protocol.yamux;

/// The limits of one session.
///
/// @param maxWindow receive window in bytes up to which a stream may be tuned (at least 256 KiB)
/// @param maxFrame payload bytes of the largest data frame we send (1 KiB to 1 MiB)
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

  public static SessionSettings defaults() {
    return new SessionSettings(16 * 1024 * 1024, 32 * 1024, 256, 20_000, 20_000, 65_536);
  }
}
