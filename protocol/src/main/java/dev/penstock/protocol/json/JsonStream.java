package dev.penstock.protocol.json;

import dev.penstock.protocol.control.ControlMessage.InTunnel;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.DialStatusDecoder;
import dev.penstock.protocol.control.MalformedMessage;
import dev.penstock.protocol.control.TunnelMessage;
import dev.penstock.protocol.control.TunnelMessage.Data;
import dev.penstock.protocol.control.TunnelMessage.Mark;
import dev.penstock.protocol.yamux.CloseCause;
import dev.penstock.protocol.yamux.MuxStream;
import dev.penstock.protocol.yamux.ReceiveWindow;
import dev.penstock.protocol.yamux.SessionSettings;
import dev.penstock.protocol.yamux.StreamListener;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// One stream of a [JsonSession]. Received bytes are never kept here, and of those to send only the
/// one buffer of the unsent [#write].
///
/// Where the agent answers its dial, the first bytes that it writes are a [DialStatus]; they travel
/// in the fields of a message of their own and come out as the same bytes.
public final class JsonStream implements MuxStream {
  private static final long MOST_CREDIT = 0xffff_ffffL;

  private final JsonSession session;
  private final String requestId;
  private final ReceiveWindow window = new ReceiveWindow();
  private @Nullable StreamListener listener;

  /// Where our answer to the dial is put together; null when it was given or is not asked for.
  private @Nullable DialStatusDecoder answer;

  /// The peer still has to answer the dial.
  private boolean expectsAnswer;

  private long sendCredit;
  private @Nullable ByteBuffer unsent;
  private long nextSeqOut;
  private long nextSeqIn;

  /// [#finish] was called; the end may still wait for the unsent bytes.
  private boolean finishing;

  private boolean finished;
  private boolean peerFinished;
  private boolean closed;
  private int owedCredit;

  /// @param sendCredit bytes that the peer takes at first
  JsonStream(JsonSession session, String requestId, int sendCredit, DialPart dial) {
    this.session = session;
    this.requestId = requestId;
    this.sendCredit = sendCredit;
    this.answer = dial == DialPart.ANSWERS ? new DialStatusDecoder() : null;
    this.expectsAnswer = dial == DialPart.IS_ANSWERED;
  }

  /// What this end has to do with the answer to a dial.
  enum DialPart {
    ANSWERS,
    IS_ANSWERED,
    NONE
  }

  /// Sets who is told of this stream's events; once, before the first event can come.
  public void listen(StreamListener listener) {
    if (this.listener != null) {
      throw new IllegalStateException(this + ": listener: set twice (expected: once)");
    }
    this.listener = listener;
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
    answerDial(bytes);
    unsent = bytes;
    enqueueIfReady();
  }

  private void answerDial(ByteBuffer bytes) {
    if (answer == null) {
      return;
    }
    try {
      DialStatus status = answer.feed(bytes);
      if (status != null) {
        answer = null;
        sendCredit -= status.encode().remaining();
        session.send(new TunnelMessage.Dial(requestId, status));
      }
    } catch (MalformedMessage e) {
      throw new IllegalArgumentException(this + ": first bytes: " + e.getMessage(), e);
    }
  }

  @Override
  public void finish() {
    if (finishing || closed) {
      return;
    }
    finishing = true;
    session.ready(this);
  }

  @Override
  public void reset() {
    if (!closed) {
      if (!(finished && peerFinished)) {
        session.send(new TunnelMessage.Close(requestId, "reset", ""));
      }
      close(CloseCause.RESET_LOCALLY);
    }
  }

  @Override
  public void consumed(int bytes, long now) {
    if (closed) {
      return;
    }
    if (bytes < 0 || bytes > window.unread()) {
      throw new IllegalArgumentException(
          this + ": consumed: " + bytes + " (expected: 0 to " + window.unread() + ")");
    }
    window.consumed(bytes, session.budget());
    if (peerFinished) {
      closeIfFinished();
      return;
    }
    int credit = session.grant(window, now);
    if (credit > 0) {
      owedCredit += credit;
      session.owesCredit(this);
    }
  }

  @Override
  public int unread() {
    return window.unread();
  }

  @Override
  public String toString() {
    return "stream " + requestId;
  }

  String requestId() {
    return requestId;
  }

  boolean hasListener() {
    return listener != null;
  }

  boolean isClosed() {
    return closed;
  }

  /// The credit that the peer was not told of yet.
  int takeOwedCredit() {
    int owed = owedCredit;
    owedCredit = 0;
    return owed;
  }

  /// The next message of this stream, given in its turn; null when only an empty write was there.
  @Nullable InTunnel next() {
    ByteBuffer bytes = unsent;
    int left = bytes == null ? 0 : bytes.remaining();
    int length = (int) Math.min(Math.min(left, session.steadyFrame()), sendCredit);
    Mark mark = finishing && length == left ? Mark.FIN : Mark.MORE;
    InTunnel message = null;
    if (length > 0 || mark == Mark.FIN) {
      ByteBuffer piece =
          bytes == null ? ByteBuffer.allocate(0) : bytes.slice(bytes.position(), length);
      message = new InTunnel(new Data(requestId, session.outwards(), piece, nextSeqOut++, mark));
    }
    if (bytes != null) {
      bytes.position(bytes.position() + length);
      sendCredit -= length;
    }
    if (length < left) {
      enqueueIfReady();
      return message;
    }
    unsent = null;
    if (mark == Mark.FIN) {
      finished = true;
      closeIfFinished();
    } else if (bytes != null) {
      told().writable();
    }
    return message;
  }

  void data(Data data, long now) {
    int length = data.data().remaining();
    if (peerFinished) {
      fault(TunnelFault.AFTER_FIN);
    } else if (data.seq() != nextSeqIn) {
      fault(TunnelFault.SEQUENCE);
    } else if (length > window.credit()) {
      fault(TunnelFault.CREDIT);
    } else if (expectsAnswer && length > 0) {
      fault(TunnelFault.DIAL);
    } else {
      nextSeqIn++;
      received(data.data(), now);
      if (data.mark() == Mark.FIN && !closed) {
        peerFinished = true;
        told().peerFinished();
        closeIfFinished();
      }
    }
  }

  private void received(ByteBuffer bytes, long now) {
    if (!bytes.hasRemaining()) {
      return;
    }
    if (window.received(bytes.remaining(), now, session.budget())) {
      told().received(bytes);
    } else {
      session.counters().overBudgetResets++;
      session.send(new TunnelMessage.Close(requestId, "over_budget", ""));
      close(CloseCause.OVER_BUDGET);
    }
  }

  /// The answer to the dial, which both ends count as the bytes that it stands for.
  void dial(DialStatus status, long now) {
    if (expectsAnswer && !peerFinished) {
      expectsAnswer = false;
      received(status.encode(), now);
    } else {
      fault(TunnelFault.DIAL);
    }
  }

  void addSendCredit(int credit) {
    long sum = sendCredit + credit;
    if (sum > MOST_CREDIT) {
      fault(TunnelFault.CREDIT);
      return;
    }
    sendCredit = sum;
    enqueueIfReady();
  }

  void peerReset() {
    // When both ends finished, everything arrived already; only our reader is late.
    if (!(finished && peerFinished)) {
      close(CloseCause.RESET_BY_PEER);
    }
  }

  void fault(TunnelFault fault) {
    session.send(new TunnelMessage.Close(requestId, fault.reason(), ""));
    session.faulty(fault);
    close(CloseCause.PEER_FAULT);
  }

  /// Ends the stream without a message, once.
  void close(CloseCause cause) {
    if (!closed) {
      closed = true;
      unsent = null;
      window.close(session.budget());
      session.closed(this);
      told().closed(cause);
    }
  }

  private void enqueueIfReady() {
    ByteBuffer bytes = unsent;
    if (bytes != null && (sendCredit > 0 || !bytes.hasRemaining())) {
      session.ready(this);
    }
  }

  private void closeIfFinished() {
    if (finished && peerFinished && window.unread() == 0) {
      close(CloseCause.FINISHED);
    }
  }

  private StreamListener told() {
    if (listener == null) {
      throw new IllegalStateException(this + ": listener: none (expected: set in opened())");
    }
    return listener;
  }

  /// What every stream may receive at first.
  static int initialWindow() {
    return SessionSettings.INITIAL_WINDOW;
  }
}
