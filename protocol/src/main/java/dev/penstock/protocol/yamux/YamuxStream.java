package dev.penstock.protocol.yamux;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// One stream of a [YamuxSession]. Not thread-safe: only the session's owner thread calls. About
/// 120 bytes while idle; received bytes are never kept here, and of those to send only the one
/// buffer of the unsent [#write].
public final class YamuxStream implements MuxStream {
  private static final StreamListener UNSET = new Unset();

  private final YamuxSession session;
  private final int id;
  private final ReceiveWindow window = new ReceiveWindow();
  private StreamListener listener = UNSET;
  private StreamState state = StreamState.OPEN;
  private Handshake handshake;

  /// Bytes that the peer still allows us to send; at most 2^32 - 1.
  private long sendCredit = SessionSettings.INITIAL_WINDOW;

  private @Nullable ByteBuffer unsent;

  /// [#finish] was called; the FIN may still wait for the unsent bytes.
  private boolean finishing;

  /// The links of [StreamQueue].
  @Nullable StreamQueue queue;

  @Nullable YamuxStream previous;
  @Nullable YamuxStream next;

  YamuxStream(YamuxSession session, int id, Handshake handshake) {
    this.session = session;
    this.id = id;
    this.handshake = handshake;
  }

  /// The stream id on the wire; unsigned 32 bits.
  public int id() {
    return id;
  }

  /// Sets who is told of this stream's events; once, before the first event can come.
  ///
  /// @throws IllegalStateException it was set before
  public void listen(StreamListener listener) {
    if (hasListener()) {
      throw new IllegalStateException(this + ": listener: set twice (expected: once)");
    }
    this.listener = listener;
  }

  /// Accepts a stream that the peer opened: the ACK goes out. Does nothing when it was accepted, is
  /// over, or is our own.
  public void accept() {
    if (handshake == Handshake.OFFERED && state != StreamState.CLOSED) {
      handshake = Handshake.DONE;
      session.accepted(this);
    }
  }

  /// Queues bytes for the peer; accepts the stream if nobody did. One unsent write at a time: the
  /// next only after [StreamListener#writable]. The buffer is given away. Ignored when the stream
  /// is over.
  ///
  /// @throws IllegalStateException after [#finish], or while a write is unsent
  @Override
  public void write(ByteBuffer bytes) {
    if (state == StreamState.CLOSED) {
      return;
    }
    if (finishing) {
      throw new IllegalStateException(this + ": write after finish");
    }
    if (unsent != null) {
      throw new IllegalStateException(this + ": write before writable()");
    }
    accept();
    unsent = bytes;
    enqueueIfReady();
  }

  /// Finishes our direction: FIN after the last byte, once; accepts the stream if nobody did.
  /// Calling again does nothing.
  @Override
  public void finish() {
    if (finishing || state == StreamState.CLOSED) {
      return;
    }
    accept();
    finishing = true;
    if (unsent == null && handshake != Handshake.WAITING) {
      sendFin();
    }
  }

  /// Ends both directions at once: unsent bytes are dropped, RST goes out, unread bytes are given
  /// up. [StreamListener#closed] is called before this returns. Does nothing when the stream is
  /// over.
  @Override
  public void reset() {
    abort(CloseCause.RESET_LOCALLY);
  }

  /// The reader took `bytes` of what it [received][StreamListener#received]; credit may go back to
  /// the peer. Ignored when the stream is over.
  ///
  /// @param now nanoseconds of a monotonic clock, the same as given to the session
  /// @throws IllegalArgumentException more than is [#unread]
  @Override
  public void consumed(int bytes, long now) {
    if (state == StreamState.CLOSED) {
      return;
    }
    if (bytes < 0 || bytes > window.unread()) {
      throw new IllegalArgumentException(
          this + ": consumed: " + bytes + " (expected: 0 to " + window.unread() + ")");
    }
    window.consumed(bytes, session.budget());
    if (state.peerFinished()) {
      closeIfFinished();
      return;
    }
    int credit = session.grant(window, now);
    if (credit > 0) {
      session.control().add(FrameType.WINDOW_UPDATE, FrameHeader.NONE, id, credit);
    }
  }

  /// Received bytes that nobody has consumed yet.
  @Override
  public int unread() {
    return window.unread();
  }

  /// Bytes that the peer would take now; a write above it leaves in pieces.
  public long sendCredit() {
    return sendCredit;
  }

  /// A write of so many payload bytes leaves in one frame, however slow the link is.
  public int steadyFrame() {
    return session.steadyFrame();
  }

  /// The present bound of the receive window in bytes.
  public int receiveWindow() {
    return window.limit();
  }

  @Override
  public String toString() {
    return "stream " + Integer.toUnsignedString(id);
  }

  Handshake handshake() {
    return handshake;
  }

  boolean hasListener() {
    return !(listener instanceof Unset);
  }

  boolean isClosed() {
    return state == StreamState.CLOSED;
  }

  /// Our SYN was queued; what was written while it waited may follow.
  void synSent() {
    handshake = Handshake.SYN_SENT;
    if (unsent != null) {
      enqueueIfReady();
    } else if (finishing) {
      sendFin();
    }
  }

  /// The peer knows the stream.
  void acknowledged() {
    handshake = Handshake.DONE;
  }

  /// The peer announced `length` bytes of data (unsigned).
  void checkData(int length) throws ProtocolViolation {
    if (length == 0) {
      return;
    }
    if (state.peerFinished()) {
      throw new ProtocolViolation(
          this + ": " + Integer.toUnsignedString(length) + " bytes after FIN (expected: none)");
    }
    if (Integer.compareUnsigned(length, window.credit()) > 0) {
      throw new ProtocolViolation(
          "%s: data frame of %s bytes (expected: at most the %d left of the window)"
              .formatted(this, Integer.toUnsignedString(length), window.credit()));
    }
  }

  /// Bytes of a frame that [#checkData] let pass.
  void received(ByteBuffer piece, long now) {
    if (state == StreamState.CLOSED) {
      return;
    }
    if (window.received(piece.remaining(), now, session.budget())) {
      listener.received(piece);
    } else {
      session.counters().overBudgetResets++;
      abort(CloseCause.OVER_BUDGET);
    }
  }

  /// The data frame whose bytes were [#received] is complete.
  void frameEnd() {
    listener.frameEnd();
  }

  /// @param credit unsigned
  void addSendCredit(int credit) throws ProtocolViolation {
    long sum = sendCredit + Integer.toUnsignedLong(credit);
    if (sum > 0xffff_ffffL) {
      throw new ProtocolViolation(
          this + ": send window: " + sum + " (expected: at most " + 0xffff_ffffL + ")");
    }
    sendCredit = sum;
    if (unsent != null) {
      enqueueIfReady();
    }
  }

  void peerFin() throws ProtocolViolation {
    if (state.peerFinished()) {
      throw new ProtocolViolation(this + ": second FIN (expected: one)");
    }
    state = state.afterPeerFin();
    listener.peerFinished();
    closeIfFinished();
  }

  void peerReset() {
    // When both ends finished, everything arrived already; only our reader is late.
    if (state != StreamState.BOTH_FINISHED) {
      close(CloseCause.RESET_BY_PEER);
    }
  }

  /// Gives the next frame, of at most so many payload bytes, to the batch; called in turn while the
  /// stream is in the ready queue.
  void send(Batch batch, int maxFrame) {
    ByteBuffer bytes = unsent;
    if (bytes == null) {
      return;
    }
    int left = bytes.remaining();
    int length = (int) Math.min(Math.min(left, maxFrame), sendCredit);
    if (length > 0) {
      batch.data(id, bytes, length);
      sendCredit -= length;
    }
    if (length < left) {
      enqueueIfReady();
      return;
    }
    unsent = null;
    if (finishing) {
      sendFin();
    } else {
      listener.writable();
    }
  }

  /// Ends the stream without a frame, once.
  void close(CloseCause cause) {
    if (state == StreamState.CLOSED) {
      return;
    }
    state = StreamState.CLOSED;
    unsent = null;
    window.close(session.budget());
    session.closed(this);
    listener.closed(cause);
  }

  private void abort(CloseCause cause) {
    if (state == StreamState.CLOSED) {
      return;
    }
    if (handshake != Handshake.WAITING && state != StreamState.BOTH_FINISHED) {
      session.control().add(FrameType.WINDOW_UPDATE, FrameHeader.RST, id, 0);
    }
    close(cause);
  }

  private void enqueueIfReady() {
    ByteBuffer bytes = unsent;
    if (bytes != null
        && handshake != Handshake.WAITING
        && (sendCredit > 0 || !bytes.hasRemaining())) {
      session.ready().add(this);
    }
  }

  /// Never on the last data frame: hashicorp/yamux looks at the flag before the bytes, and its
  /// reader may see the end before them.
  private void sendFin() {
    session.control().add(FrameType.WINDOW_UPDATE, FrameHeader.FIN, id, 0);
    state = state.afterOurFin();
    closeIfFinished();
  }

  private void closeIfFinished() {
    if (state == StreamState.BOTH_FINISHED && window.unread() == 0) {
      close(CloseCause.FINISHED);
    }
  }

  /// Stands in until [#listen]; the session insists on a real one before any event.
  private static final class Unset implements StreamListener {
    @Override
    public void received(ByteBuffer bytes) {}

    @Override
    public void writable() {}

    @Override
    public void peerFinished() {}

    @Override
    public void closed(CloseCause cause) {}
  }
}
