package dev.penstock.protocol.yamux;

import java.nio.ByteBuffer;

/// One stream of a [YamuxSession]. Not thread-safe: only the session's owner thread calls.
public final class YamuxStream {
  /// The stream id on the wire; unsigned 32 bits.
  public int id() {
    throw new UnsupportedOperationException();
  }

  /// Sets who is told of this stream's events; once, before the first event can come.
  public void listen(StreamListener listener) {
    throw new UnsupportedOperationException();
  }

  /// Accepts a stream that the peer opened: the ACK goes out.
  public void accept() {
    throw new UnsupportedOperationException();
  }

  /// Queues bytes for the peer. One unsent write at a time: the next only after
  /// [StreamListener#writable]. The buffer is given away. Ignored when the stream is over.
  ///
  /// @throws IllegalStateException after [#finish], or while a write is unsent
  public void write(ByteBuffer bytes) {
    throw new UnsupportedOperationException();
  }

  /// Finishes our direction: FIN after the last byte, once. Calling again does nothing.
  public void finish() {
    throw new UnsupportedOperationException();
  }

  /// Ends both directions at once: unsent bytes are dropped, RST goes out. Does nothing when the
  /// stream is over.
  public void reset() {
    throw new UnsupportedOperationException();
  }

  /// The reader took `bytes` of what it [received][StreamListener#received]; credit may go back to
  /// the peer.
  ///
  /// @param now nanoseconds of a monotonic clock, the same as given to the session
  public void consumed(int bytes, long now) {
    throw new UnsupportedOperationException();
  }

  /// Received bytes that nobody has consumed yet.
  public int unread() {
    throw new UnsupportedOperationException();
  }

  /// The present bound of the receive window in bytes.
  public int receiveWindow() {
    throw new UnsupportedOperationException();
  }
}
