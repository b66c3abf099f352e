package dev.penstock.protocol.yamux;

import org.jspecify.annotations.Nullable;

/// A session of many streams, whatever carries it: what its owner does with any of them. Not
/// thread-safe: one owner thread.
public interface MuxSession {
  /// Whether there is something to send.
  boolean hasOutput();

  /// Sends a ping; the answer updates [#rttNanos]. Does nothing while one is unanswered.
  ///
  /// @param now nanoseconds of a monotonic clock
  void ping(long now);

  /// The round-trip time in nanoseconds, the least of the last few pings; 0 before the first
  /// answer.
  long rttNanos();

  /// When the ping that is still unanswered was sent; null when none is.
  @Nullable Long pingSentNanos();

  /// Counts what was odd but not fatal, for meters.
  SessionCounters counters();

  /// The transport is gone, or is about to be closed: every stream is told
  /// [CloseCause#SESSION_ENDED] and all budget is given back. Nothing is sent any more.
  void end();
}
