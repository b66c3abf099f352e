package dev.penstock.protocol.yamux;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// The state machine of one yamux session: bytes and calls in, bytes and callbacks out; no I/O, no
/// clock, no threads. One owner thread. Source: hashicorp/yamux spec.md.
///
/// Memory is bounded, whatever the peer does: unread bytes and enlarged windows are charged to the
/// [ByteBudget], and the stream whose bytes do not fit any more is reset ([CloseCause#OVER_BUDGET])
/// while the others go on; streams and waiting control frames are bounded by [SessionSettings];
/// refused and forgotten streams leave no trace. Listeners may call every method from inside a
/// callback, except the one that called them: [#onBytes] from [StreamListener#received],
/// [#nextBatch] from [StreamListener#writable].
public final class YamuxSession implements MuxSession {
  private final Role role;
  private final SessionSettings settings;
  private final ByteBudget budget;
  private final SessionListener listener;
  private final SessionCounters counters = new SessionCounters();
  private final FrameDecoder decoder = new FrameDecoder(new Incoming());
  private final StreamTable streams = new StreamTable();
  private final ControlQueue control = new ControlQueue();
  private final Batch batch = new Batch();
  private final FrameSize frameSize;

  /// Streams with bytes and credit to send, in turn.
  private final StreamQueue ready = new StreamQueue();

  /// Our streams whose SYN waits, in order of their ids.
  private final StreamQueue waiting = new StreamQueue();

  /// Beyond 2^32 - 1: none is left.
  private long nextId;

  /// Our SYNs without an answer, and the peer's without ours.
  private int unacknowledged;

  private int offered;

  private Life life = Life.RUNNING;
  private boolean localGoAway;
  private boolean remoteGoAway;

  /// Guards against calls of `onBytes` and `nextBatch` from inside themselves.
  private boolean decoding;

  private boolean composing;

  private long now;
  private int pingValue;
  private final RoundTrip roundTrip = new RoundTrip();

  private enum Life {
    RUNNING,
    /// The peer broke the protocol; only the GoAway still leaves.
    VIOLATED,
    ENDED
  }

  public YamuxSession(
      Role role, SessionSettings settings, ByteBudget budget, SessionListener listener) {
    this(role, settings, budget, listener, role == Role.CLIENT ? 1 : 2);
  }

  /// With the first id that this end opens, of its parity.
  YamuxSession(
      Role role,
      SessionSettings settings,
      ByteBudget budget,
      SessionListener listener,
      long firstId) {
    this.role = role;
    this.settings = settings;
    this.budget = budget;
    this.listener = listener;
    this.nextId = firstId;
    this.frameSize = new FrameSize(settings);
  }

  /// Opens a stream. Its SYN leaves with the first batch after the peer's backlog has room; writes
  /// may start at once.
  public OpenResult open(StreamListener listener) {
    if (life != Life.RUNNING || localGoAway || remoteGoAway) {
      return new OpenResult.Refused(OpenResult.Reason.GOING_AWAY);
    }
    if (streams.size() >= settings.maxStreams()) {
      return new OpenResult.Refused(OpenResult.Reason.TOO_MANY_STREAMS);
    }
    if (nextId > 0xffff_ffffL) {
      return new OpenResult.Refused(OpenResult.Reason.IDS_EXHAUSTED);
    }
    boolean mustWait = !waiting.isEmpty() || !mayOpen();
    if (mustWait && waiting.size() >= settings.maxPendingOpens()) {
      return new OpenResult.Refused(OpenResult.Reason.TOO_MANY_PENDING);
    }
    YamuxStream stream = new YamuxStream(this, (int) nextId, Handshake.WAITING);
    nextId += 2;
    stream.listen(listener);
    streams.add(stream);
    waiting.add(stream);
    openWaiting();
    return new OpenResult.Opened(stream);
  }

  /// Takes bytes from the peer in any chunking; slices of `chunk` are handed on without a copy, so
  /// the caller gives it away. Ignored after a violation and after [#end].
  ///
  /// @param now nanoseconds of a monotonic clock
  /// @return how many of the bytes were headers of frames, and so handed on to nobody
  /// @throws ProtocolViolation the peer broke the protocol: the session has queued the GoAway
  ///   frame; the owner sends what [#nextBatch] still gives and then closes the transport and calls
  ///   [#end]
  public int onBytes(ByteBuffer chunk, long now) throws ProtocolViolation {
    if (decoding) {
      throw new IllegalStateException("onBytes: called from inside itself");
    }
    if (life != Life.RUNNING) {
      return 0;
    }
    this.now = now;
    decoding = true;
    try {
      return decoder.feed(chunk);
    } catch (ProtocolViolation violation) {
      if (life == Life.RUNNING) {
        life = Life.VIOLATED;
        control.clear();
        control.add(FrameType.GO_AWAY, FrameHeader.NONE, 0, GoAwayCode.PROTOCOL_ERROR.wire());
      }
      throw violation;
    } finally {
      decoding = false;
    }
  }

  /// The next bytes for the peer, to be written in order as one unit: control frames first, then
  /// data of the ready streams in turn, round robin, one frame each, as large as [FrameSize] has
  /// it; stops at the first frame end beyond `maxBytes`. Frames and buffers need not align. Null
  /// when there is nothing to send. After a violation only the GoAway is given.
  ///
  /// @param now nanoseconds of a monotonic clock
  public ByteBuffer @Nullable [] nextBatch(int maxBytes, long now) {
    if (composing) {
      throw new IllegalStateException("nextBatch: called from inside itself");
    }
    composing = true;
    try {
      int frame = frameSize.bound(ready.size());
      boolean more = true;
      while (more && batch.bytes() < maxBytes) {
        more = addToBatch(maxBytes, frame);
      }
    } finally {
      composing = false;
    }
    frameSize.sent(batch.bytes(), now);
    return batch.finish();
  }

  /// Whether [#nextBatch] is worth a call; it may still give nothing when only empty writes wait.
  @Override
  public boolean hasOutput() {
    return !control.isEmpty() || (life == Life.RUNNING && !ready.isEmpty());
  }

  /// Sends a ping; the answer updates [#rttNanos]. Does nothing while one is unanswered.
  @Override
  public void ping(long now) {
    if (roundTrip.isUnanswered() || life != Life.RUNNING) {
      return;
    }
    roundTrip.sent(now);
    pingValue++;
    control.add(FrameType.PING, FrameHeader.SYN, 0, pingValue);
  }

  /// The round-trip time in nanoseconds: the least of the last 8 pings, because what is more is
  /// queues and not the way; 0 before the first answer.
  @Override
  public long rttNanos() {
    return roundTrip.nanos();
  }

  /// When the ping that is still unanswered was sent; null when none is.
  @Override
  public @Nullable Long pingSentNanos() {
    return roundTrip.sentNanos();
  }

  /// Tells the peer to open no more streams; existing ones go on.
  public void goAway(GoAwayCode code) {
    if (life != Life.RUNNING) {
      return;
    }
    localGoAway = true;
    control.add(FrameType.GO_AWAY, FrameHeader.NONE, 0, code.wire());
  }

  /// The transport is gone, or is about to be closed: every stream is told
  /// [CloseCause#SESSION_ENDED] and all budget is given back. Nothing is sent any more.
  @Override
  public void end() {
    if (life == Life.ENDED) {
      return;
    }
    life = Life.ENDED;
    roundTrip.forget();
    for (YamuxStream stream : streams.all()) {
      stream.close(CloseCause.SESSION_ENDED);
    }
    control.clear();
  }

  /// Streams that are not closed.
  public int streamCount() {
    return streams.size();
  }

  /// Counts what was odd but not fatal, for meters.
  @Override
  public SessionCounters counters() {
    return counters;
  }

  ControlQueue control() {
    return control;
  }

  StreamQueue ready() {
    return ready;
  }

  ByteBudget budget() {
    return budget;
  }

  /// Bytes that every data frame may have, however slow the link is.
  int steadyFrame() {
    return settings.steadyFrame();
  }

  int grant(ReceiveWindow window, long now) {
    return window.grant(now, roundTrip.nanos(), settings.maxWindow(), budget, counters);
  }

  void accepted(YamuxStream stream) {
    offered--;
    control.add(FrameType.WINDOW_UPDATE, FrameHeader.ACK, stream.id(), 0);
  }

  /// Forgets a stream that just closed.
  void closed(YamuxStream stream) {
    streams.remove(stream.id());
    ready.remove(stream);
    switch (stream.handshake()) {
      case WAITING -> waiting.remove(stream);
      case SYN_SENT -> unacknowledged--;
      case OFFERED -> offered--;
      case DONE -> {}
    }
    openWaiting();
  }

  private boolean addToBatch(int maxBytes, int frame) {
    if (!control.isEmpty()) {
      long room = maxBytes - batch.bytes();
      batch.control(control, (int) (room / FrameHeader.BYTES) + 1);
      openWaiting();
      return true;
    }
    YamuxStream stream = life == Life.RUNNING ? ready.poll() : null;
    if (stream == null) {
      return false;
    }
    stream.send(batch, frame);
    return true;
  }

  private boolean mayOpen() {
    return unacknowledged < settings.acceptBacklog()
        && control.size() < settings.maxControlBacklog();
  }

  private void openWaiting() {
    while (life == Life.RUNNING && !remoteGoAway && mayOpen()) {
      YamuxStream stream = waiting.poll();
      if (stream == null) {
        return;
      }
      unacknowledged++;
      control.add(FrameType.WINDOW_UPDATE, FrameHeader.SYN, stream.id(), 0);
      stream.synSent();
    }
  }

  /// Ours count up in one parity, the peer's in the other.
  private boolean isPeersId(int id) {
    return (id & 1) == (role == Role.CLIENT ? 0 : 1);
  }

  /// What the peer's frames do.
  private final class Incoming implements FrameDecoder.Sink {
    /// The stream of the frame at hand; null when there is none, or when it is unknown.
    private @Nullable YamuxStream current;

    private int currentFlags;

    /// Whether the frame at hand carries bytes.
    private boolean currentIsData;

    @Override
    public void header(FrameType type, int flags, int id, int length) throws ProtocolViolation {
      if (life != Life.RUNNING) {
        return;
      }
      currentIsData = type == FrameType.DATA && length != 0;
      switch (type) {
        case DATA -> {
          YamuxStream stream = streamFrame(flags, id);
          if (stream != null) {
            refuseFlood();
            stream.checkData(length);
          }
        }
        case WINDOW_UPDATE -> {
          YamuxStream stream = streamFrame(flags, id);
          if (stream != null) {
            stream.addSendCredit(length);
          }
        }
        case PING -> onPing(flags, length);
        case GO_AWAY -> onGoAway(GoAwayCode.of(length));
      }
    }

    @Override
    public void payload(ByteBuffer piece) {
      YamuxStream stream = current;
      if (stream != null) {
        stream.received(piece, now);
      }
    }

    @Override
    public void end() throws ProtocolViolation {
      YamuxStream stream = current;
      current = null;
      if (stream == null || stream.isClosed()) {
        return;
      }
      if (currentIsData) {
        stream.frameEnd();
      }
      if (stream.isClosed()) {
        return;
      }
      if ((currentFlags & FrameHeader.RST) != 0) {
        stream.peerReset();
      } else if ((currentFlags & FrameHeader.FIN) != 0) {
        stream.peerFin();
      }
    }

    /// Finds or opens the stream of a frame and makes it the current one; null when the frame is to
    /// be ignored.
    private @Nullable YamuxStream streamFrame(int flags, int id) throws ProtocolViolation {
      YamuxStream stream = streams.get(id);
      if ((flags & FrameHeader.SYN) != 0) {
        stream = opened(stream, id);
      } else if (stream == null || stream.handshake() == Handshake.WAITING) {
        counters.strayFrames++;
        stream = null;
      } else if (stream.handshake() == Handshake.SYN_SENT) {
        // Any frame will do: hashicorp/yamux sends no ACK when our FIN outran its accept().
        stream.acknowledged();
        unacknowledged--;
        openWaiting();
      }
      current = stream;
      currentFlags = flags;
      return stream;
    }

    private @Nullable YamuxStream opened(@Nullable YamuxStream present, int id)
        throws ProtocolViolation {
      if (!isPeersId(id)) {
        throw new ProtocolViolation(
            "SYN for stream %s (expected: %s ids of a %s)"
                .formatted(
                    Integer.toUnsignedString(id),
                    role == Role.CLIENT ? "even" : "odd",
                    role.peer()));
      }
      if (present != null) {
        throw new ProtocolViolation("SYN for " + present + " (expected: an id not in use)");
      }
      refuseFlood();
      if (localGoAway
          || offered >= settings.acceptBacklog()
          || streams.size() >= settings.maxStreams()) {
        counters.refusedOpens++;
        control.add(FrameType.WINDOW_UPDATE, FrameHeader.RST, id, 0);
        return null;
      }
      YamuxStream stream = new YamuxStream(YamuxSession.this, id, Handshake.OFFERED);
      streams.add(stream);
      offered++;
      listener.opened(stream);
      if (stream.isClosed()) {
        return null;
      }
      if (!stream.hasListener()) {
        throw new IllegalStateException(stream + ": listener: none (expected: set in opened())");
      }
      return stream;
    }

    private void onPing(int flags, int value) throws ProtocolViolation {
      if ((flags & FrameHeader.SYN) != 0) {
        refuseFlood();
        control.add(FrameType.PING, FrameHeader.ACK, 0, value);
      } else if (roundTrip.isUnanswered() && value == pingValue) {
        roundTrip.answered(now, counters);
      }
    }

    private void onGoAway(GoAwayCode code) {
      remoteGoAway = true;
      // The peer never heard of these, and would refuse them.
      for (YamuxStream stream = waiting.poll(); stream != null; stream = waiting.poll()) {
        stream.close(CloseCause.RESET_BY_PEER);
      }
      listener.goAway(code);
    }

    private void refuseFlood() throws ProtocolViolation {
      if (control.size() >= settings.maxControlBacklog()) {
        throw new ProtocolViolation(
            "control frames waiting: %d (expected: fewer than %d)"
                .formatted(control.size(), settings.maxControlBacklog()));
      }
    }
  }
}
