package dev.penstock.protocol.yamux;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// The state machine of one yamux session: bytes and calls in, bytes and callbacks out; no I/O, no
/// clock, no threads. One owner thread. Source: hashicorp/yamux spec.md.
public final class YamuxSession {
  public YamuxSession(
      Role role, SessionSettings settings, ByteBudget budget, SessionListener listener) {
    throw new UnsupportedOperationException();
  }

  /// Opens a stream. Its SYN leaves with the first batch after the peer's backlog has room; writes
  /// may start at once.
  public OpenResult open(StreamListener listener) {
    throw new UnsupportedOperationException();
  }

  /// Takes bytes from the peer in any chunking; slices of `chunk` are handed on without a copy, so
  /// the caller gives it away.
  ///
  /// @param now nanoseconds of a monotonic clock
  /// @throws ProtocolViolation the peer broke the protocol: the session has queued the GoAway
  ///   frame; the owner sends what [#nextBatch] still gives and then closes the transport and calls
  ///   [#end]
  public void onBytes(ByteBuffer chunk, long now) throws ProtocolViolation {
    throw new UnsupportedOperationException();
  }

  /// The next bytes for the peer, to be written in order as one unit: control frames first, then
  /// data of the ready streams in turn, round robin, one frame of at most
  /// [SessionSettings#maxFrame] each; stops after about `maxBytes`. Null when there is nothing to
  /// send.
  public ByteBuffer @Nullable [] nextBatch(int maxBytes) {
    throw new UnsupportedOperationException();
  }

  /// Whether [#nextBatch] has something to give.
  public boolean hasOutput() {
    throw new UnsupportedOperationException();
  }

  /// Sends a ping; the answer updates [#rttNanos]. Does nothing while one is unanswered.
  public void ping(long now) {
    throw new UnsupportedOperationException();
  }

  /// Smoothed round-trip time of pings in nanoseconds; 0 before the first answer.
  public long rttNanos() {
    throw new UnsupportedOperationException();
  }

  /// When the ping that is still unanswered was sent; null when none is.
  public @Nullable Long pingSentNanos() {
    throw new UnsupportedOperationException();
  }

  /// Tells the peer to open no more streams; existing ones go on.
  public void goAway(GoAwayCode code) {
    throw new UnsupportedOperationException();
  }

  /// The transport is gone, or is about to be closed: every stream is told
  /// [CloseCause#SESSION_ENDED] and all budget is given back.
  public void end() {
    throw new UnsupportedOperationException();
  }

  /// Streams that are not closed.
  public int streamCount() {
    throw new UnsupportedOperationException();
  }

  /// Counts what was odd but not fatal, for meters.
  public SessionCounters counters() {
    throw new UnsupportedOperationException();
  }
}
