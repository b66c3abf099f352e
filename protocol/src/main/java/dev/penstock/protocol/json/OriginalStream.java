package dev.penstock.protocol.json;

import dev.penstock.protocol.control.TunnelMessage;
import dev.penstock.protocol.yamux.CloseCause;
import dev.penstock.protocol.yamux.MuxStream;
import dev.penstock.protocol.yamux.StreamListener;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// One stream of an [OriginalSession]. Received bytes are charged to the budget until they are
/// consumed; of those to send there is only the one buffer of the unsent [#write].
public abstract sealed class OriginalStream implements MuxStream
    permits OriginalConnection, OriginalDatagrams {
  final OriginalSession session;
  private final String name;
  private final StreamListener listener;
  private int unread;
  private long fullSince;
  private boolean full;
  @Nullable ByteBuffer unsent;
  boolean finishing;
  boolean peerFinished;
  boolean closed;

  OriginalStream(OriginalSession session, String name, StreamListener listener) {
    this.session = session;
    this.name = name;
    this.listener = listener;
  }

  /// Takes a message of the agent; false when it means nothing here.
  abstract boolean take(TunnelMessage message, long now);

  /// What is to be sent at this time.
  abstract @Nullable TunnelMessage next(long now);

  /// Whether anything may be to be sent, now or later.
  abstract boolean isActive();

  /// When [#next] is worth a call; null when it depends on something else.
  abstract @Nullable Long due(long now);

  String name() {
    return name;
  }

  @Override
  public void write(ByteBuffer bytes) {
    if (closed) {
      return;
    }
    if (finishing) {
      throw new IllegalStateException(this + ": write after finish");
    }
    if (unsent != null) {
      throw new IllegalStateException(this + ": write before writable()");
    }
    unsent = bytes;
    session.activate(this);
  }

  @Override
  public void consumed(int bytes, long now) {
    if (closed) {
      return;
    }
    if (bytes < 0 || bytes > unread) {
      throw new IllegalArgumentException(
          this + ": consumed: " + bytes + " (expected: 0 to " + unread + ")");
    }
    unread -= bytes;
    session.budget().release(bytes);
    session.unread(this, unread);
    full &= session.isFull(this);
    consumedAll();
  }

  @Override
  public int unread() {
    return unread;
  }

  @Override
  public String toString() {
    return "stream " + name;
  }

  /// Some unread bytes are gone.
  abstract void consumedAll();

  /// Hands bytes on; the stream is over when there is no room for them.
  void received(ByteBuffer bytes, long now) {
    int size = bytes.remaining();
    if (size == 0 || closed) {
      return;
    }
    if (!session.budget().tryReserve(size)) {
      overBudget();
      return;
    }
    unread += size;
    session.unread(this, unread);
    if (!full && session.isFull(this)) {
      full = true;
      fullSince = now;
    }
    listener.received(bytes);
  }

  /// When a reader that stops the link is given up; null when it does not stop it.
  @Nullable Long patienceEnds() {
    return full ? Long.valueOf(fullSince + session.pacing().patience().toNanos()) : null;
  }

  /// Gives a reader up that stopped the link for too long.
  boolean outOfPatience(long now) {
    Long ends = patienceEnds();
    if (ends == null || ends - now > 0) {
      return false;
    }
    overBudget();
    return true;
  }

  /// Ends the stream because its reader does not read.
  abstract void overBudget();

  void tellWritable() {
    listener.writable();
  }

  void tellPeerFinished() {
    if (!peerFinished) {
      peerFinished = true;
      listener.peerFinished();
    }
  }

  /// Ends the stream without a message, once.
  void close(CloseCause cause) {
    if (!closed) {
      closed = true;
      unsent = null;
      session.budget().release(unread);
      unread = 0;
      session.closed(this);
      listener.closed(cause);
    }
  }
}
