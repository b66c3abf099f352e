package dev.penstock.protocol.yamux;

import java.nio.ByteBuffer;

/// One stream of a session, whatever carries it: what its user may do. What happens on it is told
/// to a [StreamListener]. Not thread-safe: only the session's owner thread calls.
public interface MuxStream {
  /// Queues bytes for the peer. One unsent write at a time: the next only after
  /// [StreamListener#writable]. The buffer is given away. Ignored when the stream is over.
  ///
  /// @throws IllegalStateException after [#finish], or while a write is unsent
  void write(ByteBuffer bytes);

  /// Finishes our direction after the last byte, once. Calling again does nothing.
  void finish();

  /// Ends both directions at once: unsent bytes are dropped, unread bytes are given up.
  /// [StreamListener#closed] is called before this returns. Does nothing when the stream is over.
  void reset();

  /// The reader took `bytes` of what it [received][StreamListener#received]; credit may go back to
  /// the peer. Ignored when the stream is over.
  ///
  /// @param now nanoseconds of a monotonic clock, the same as given to the session
  /// @throws IllegalArgumentException more than is [#unread]
  void consumed(int bytes, long now);

  /// Received bytes that nobody has consumed yet.
  int unread();
}
