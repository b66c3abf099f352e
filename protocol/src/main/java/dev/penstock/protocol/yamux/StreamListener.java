package dev.penstock.protocol.yamux;

import java.nio.ByteBuffer;

/// What one stream tells its user. Called on the thread that drives the session, from inside one of
/// its methods; every method of the session and its streams may be called from here.
public interface StreamListener {
  /// Bytes arrived, in order. The buffer is given away; its credit returns with
  /// [MuxStream#consumed].
  void received(ByteBuffer bytes);

  /// The data frame that the last bytes came in is complete. Told only for frames with bytes; of
  /// interest where a frame means something, which in a stream of bytes it does not.
  default void frameEnd() {}

  /// The last [MuxStream#write] was taken over whole into frames; the next one may come, at once if
  /// the listener likes. Not called after [MuxStream#finish].
  void writable();

  /// The peer finished its direction (FIN): no more [#received].
  void peerFinished();

  /// The stream is over in both directions; nothing follows. [CloseCause#FINISHED] comes only when
  /// all received bytes were consumed; with any other cause the unread ones are to be dropped.
  void closed(CloseCause cause);
}
