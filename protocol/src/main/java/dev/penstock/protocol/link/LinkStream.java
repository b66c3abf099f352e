package dev.penstock.protocol.link;

import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.net.ReadMemory;
import dev.penstock.protocol.yamux.CloseCause;
import dev.penstock.protocol.yamux.MuxStream;
import dev.penstock.protocol.yamux.StreamListener;
import dev.penstock.protocol.yamux.YamuxStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.NotUsed;
import org.apache.pekko.stream.javadsl.Flow;
import org.jspecify.annotations.Nullable;

/// One stream of a link, seen by who carries it. Belongs to the link's loop.
///
/// What arrives waits here until a flow takes it; the stream's receive window bounds how much that
/// can be.
public final class LinkStream implements StreamListener {
  private final Link link;
  private final ReadMemory memory;
  private @Nullable MuxStream mux;
  private @Nullable ByteBuffer head;
  private @Nullable ArrayDeque<ByteBuffer> tail;
  private boolean unsent;
  private boolean finishAfterHeld;
  private @Nullable ByteBuffer held;
  private boolean peerFinished;
  private @Nullable CloseCause closed;
  private @Nullable Runnable onChange;

  /// The pieces of the frame that is still arriving; null where frames mean nothing.
  private @Nullable ArrayList<ByteBuffer> frame;

  /// @param memory of the link's loop
  LinkStream(Link link, ReadMemory memory) {
    this.link = link;
    this.memory = memory;
  }

  public Link link() {
    return link;
  }

  /// How it is called on its link, by both ends; 0 where streams have no numbers. On the loop only.
  public long number() {
    return mux instanceof YamuxStream yamux ? Integer.toUnsignedLong(yamux.id()) : 0;
  }

  /// Carries bytes between this stream and a connection of this side.
  ///
  /// @param first bytes for the peer that go before what comes through the flow
  public Flow<ByteBuffer, ByteBuffer, NotUsed> flow(
      DialReport report, List<ByteBuffer> first, Traffic traffic, StreamObserver observer) {
    return Flow.fromGraph(new StreamFlow(this, report, first, traffic, observer));
  }

  /// Carries datagrams instead of bytes. The stream was opened with [Protocol#UDP][
  /// dev.penstock.protocol.control.Protocol#UDP]. On the loop only.
  ///
  /// @param first bytes for the peer that go before the datagrams, null for none
  public DatagramStream datagrams(
      DatagramStream.Framing framing,
      DialReport report,
      @Nullable ByteBuffer first,
      DatagramTraffic traffic,
      DatagramStream.Owner owner) {
    return new DatagramStream(this, framing, report, traffic, owner).start(first);
  }

  /// Whether the peer tells how its dial went before it sends bytes of the service.
  public enum DialReport {
    EXPECTED,
    /// It tells nothing, but when its dial failed it ends its direction without a byte, as the
    /// original agent does. Such an end is taken for a failed dial when it comes within
    /// [#DIAL_WINDOW] and our direction has not ended: a service that answers the end of its input
    /// with its own has done nothing wrong.
    INFERRED,
    NONE;

    /// The 30 s that an original agent gives a dial, and what it takes to tell of it. A service
    /// that ends later without having said a word is believed.
    public static final Duration DIAL_WINDOW = Duration.ofSeconds(35);
  }

  /// Tells the peer, which expects a report, that the service was reached. Once, and before any
  /// byte of the service. On the loop only.
  public void answer(DialStatus connected) {
    if (closed == null) {
      write(connected.encode());
    }
  }

  /// Whether the stream is closed in both directions. On the loop only.
  public boolean isOver() {
    return closed != null;
  }

  /// Sends last words and ends our direction; what the peer still sends is dropped.
  public void refuse(ByteBuffer lastWords) {
    if (closed == null) {
      write(lastWords);
      finish();
      attach(this::drop);
      drop();
    }
  }

  private void drop() {
    while (poll() != null) {
      // Taken only to give the credit back.
    }
  }

  /// Ends both directions at once.
  public void reset() {
    if (closed == null) {
      mux().reset();
      link.wake();
    }
  }

  // --- for StreamFlow and LinkStage, on the loop ---

  void bind(MuxStream stream) {
    mux = stream;
  }

  MuxStream mux() {
    if (mux == null) {
      throw new IllegalStateException("stream used before it was opened");
    }
    return mux;
  }

  void attach(Runnable changed) {
    onChange = changed;
  }

  void detach() {
    onChange = null;
  }

  /// Whether a write would be taken without waiting for the one before.
  boolean canWrite() {
    return held == null;
  }

  /// Bytes that were written and are not on their way yet.
  boolean unsent() {
    return unsent;
  }

  /// Bytes that the peer takes now: a write of no more leaves as one frame, if it is no larger than
  /// [#steadyFrame].
  long sendCredit() {
    return mux() instanceof YamuxStream yamux ? yamux.sendCredit() : Long.MAX_VALUE;
  }

  int steadyFrame() {
    return mux() instanceof YamuxStream yamux ? yamux.steadyFrame() : Integer.MAX_VALUE;
  }

  /// Takes one write while another is unsent, and no more.
  void write(ByteBuffer bytes) {
    if (closed != null) {
      return;
    }
    // Without credit it may wait for long.
    ByteBuffer kept = sendCredit() < bytes.remaining() ? memory.alone(bytes) : bytes;
    if (unsent) {
      held = kept;
    } else {
      unsent = true;
      mux().write(kept);
      link.wake();
    }
  }

  void finish() {
    if (closed != null) {
      return;
    }
    if (held != null) {
      finishAfterHeld = true;
    } else {
      mux().finish();
      link.wake();
    }
  }

  /// The next received bytes, whose credit returns with this call; null when there are none.
  @Nullable ByteBuffer poll() {
    ByteBuffer first = head;
    if (first == null) {
      return null;
    }
    head = tail == null ? null : tail.poll();
    consumed(first.remaining());
    return first;
  }

  private void consumed(int bytes) {
    if (closed == null && bytes > 0) {
      mux().consumed(bytes, System.nanoTime());
      link.wakeIfOutput();
    }
  }

  /// The reader took `bytes` off the buffer that [#peek] showed.
  void consumedOfHead(int bytes) {
    ByteBuffer first = head;
    if (first != null) {
      memory.giveBack(first, bytes);
      if (!first.hasRemaining()) {
        head = tail == null ? null : tail.poll();
      }
    }
    consumed(bytes);
  }

  /// The next received bytes without taking them.
  @Nullable ByteBuffer peek() {
    return head;
  }

  boolean atEnd() {
    return head == null && peerFinished;
  }

  @Nullable CloseCause closeCause() {
    return closed;
  }

  // --- StreamListener: called by the session ---

  /// From now on what [#poll] gives is one data frame of the peer each time, however it was cut on
  /// its way; the window bounds what waits for the end of a frame.
  void keepFrames() {
    frame = new ArrayList<>(1);
  }

  @Override
  public void received(ByteBuffer bytes) {
    if (frame == null) {
      enqueue(bytes);
    } else {
      frame.add(bytes);
    }
  }

  @Override
  public void frameEnd() {
    if (frame == null || frame.isEmpty()) {
      return;
    }
    ByteBuffer whole = frame.getFirst();
    if (frame.size() > 1) {
      whole = ByteBuffer.allocate(frame.stream().mapToInt(ByteBuffer::remaining).sum());
      frame.forEach(whole::put);
      whole.flip();
    }
    frame.clear();
    enqueue(whole);
  }

  /// A reader that left what an earlier read of the link brought may not read for long: what it is
  /// given from now on must not keep the whole read of which it is a part.
  private void enqueue(ByteBuffer bytes) {
    if (head == null) {
      head = bytes;
    } else {
      if (tail == null) {
        tail = new ArrayDeque<>(4);
      }
      if (ReadMemory.shareArray(head, bytes)) {
        tail.add(bytes);
      } else {
        leaveEarlierRead(head, tail);
        tail.add(memory.alone(bytes));
      }
    }
    changed();
  }

  /// Once for what came before it was known that the reader had stopped: behind a head with an
  /// array of its own there is nothing else.
  private void leaveEarlierRead(ByteBuffer first, ArrayDeque<ByteBuffer> rest) {
    head = memory.alone(first);
    if (!ReadMemory.shareArray(head, first)) {
      for (int left = rest.size(); left > 0; left--) {
        rest.add(memory.alone(rest.remove()));
      }
    }
  }

  @Override
  public void writable() {
    unsent = false;
    ByteBuffer next = held;
    if (next != null) {
      held = null;
      unsent = true;
      mux().write(next);
      if (finishAfterHeld) {
        mux().finish();
      }
      changed();
    } else if (onChange instanceof WaitsForWritable waiting && waiting.waitsForWritable()) {
      changed();
    }
  }

  /// A watcher that only sometimes wants to know that a write is on its way.
  interface WaitsForWritable extends Runnable {
    boolean waitsForWritable();
  }

  @Override
  public void peerFinished() {
    peerFinished = true;
    changed();
  }

  @Override
  public void closed(CloseCause cause) {
    closed = cause;
    held = null;
    changed();
  }

  private void changed() {
    if (onChange != null) {
      onChange.run();
    }
  }
}
