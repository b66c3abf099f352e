package dev.penstock.protocol.link;

import dev.penstock.protocol.control.DatagramDecoder;
import dev.penstock.protocol.control.DatagramFrames;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.DialStatusDecoder;
import dev.penstock.protocol.control.MalformedMessage;
import dev.penstock.protocol.link.LinkStream.DialReport;
import dev.penstock.protocol.yamux.CloseCause;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A stream that carries the datagrams of one flow, boundaries kept. It asks its owner for
/// datagrams when the stream takes some, and gives it those of the peer when it takes some; many of
/// either leave in one go. Belongs to the link's loop.
///
/// Memory: two writes of at most 96 KiB on their way out; what arrives waits in the stream's
/// receive window until the owner takes it.
public final class DatagramStream implements LinkStream.WaitsForWritable {
  /// How the peer tells one datagram from the next.
  public enum Framing {
    /// By a length in front of each: [DatagramFrames].
    LENGTHS,
    /// The original's way: what it reads at once is one datagram. So one datagram is one yamux
    /// frame, and the next one goes only after an answer or a pause, lest the peer read both as
    /// one.
    YAMUX_FRAMES,
    /// A JSON message of the original is a datagram, both ways. The session paces them; what the
    /// owner does not take when it comes is dropped, because the only other way to slow that agent
    /// down is to stop its whole link.
    MESSAGES
  }

  /// Who has the datagrams; called on the loop, never while it calls itself.
  public interface Owner {
    /// What counts the payload of the datagrams; asked once.
    default ByteCount count() {
      return new ByteCount();
    }

    /// The next datagram for the peer; null when there is none now. [#ready] tells when there is.
    @Nullable ByteBuffer next();

    /// Whether [#arrived] may be called; [#ready] tells when that becomes true.
    boolean takes();

    /// A datagram of the peer.
    void arrived(ByteBuffer datagram);

    /// The last [#arrived] of this turn was called.
    void arrivedAll();

    /// The peer reached the service. Told only where `dial-status` was agreed.
    void connected();

    /// As [#connected()], with what the peer said of it.
    default void connected(DialStatus status) {
      connected();
    }

    /// The stream is over; told exactly once, and nothing after it.
    void ended(StreamEnd end);
  }

  /// The buffer that the original reads into.
  static final int LARGEST_FOR_ORIGINAL = 32 * 1024;

  /// What UDP over IPv4 carries, and the buffer of the original in JSON.
  static final int LARGEST_IN_MESSAGE = 65_507;

  /// Between two datagrams for an original that does not answer.
  private static final Duration SPACING = Duration.ofMillis(4);

  /// A write is filled up to this, so that many datagrams share one yamux frame.
  private static final int FULL_WRITE = 32 * 1024;

  private final LinkStream stream;
  private final Framing framing;
  private final DatagramTraffic traffic;
  private final Owner owner;
  private final DatagramDecoder decoder = new DatagramDecoder();
  private final List<ByteBuffer> gathered = new ArrayList<>();
  private @Nullable DialStatusDecoder dialling;
  private @Nullable ByteBuffer incoming;

  /// Only for an original: the datagram that waits for its turn.
  private @Nullable ByteBuffer spaced;

  private boolean pauseRunning;
  private int pauses;
  private boolean reacting;
  private boolean again;
  private boolean scheduled;
  private boolean wantsWritable;
  private boolean ended;
  private long lastActive = System.nanoTime();
  private final ByteCount count;

  DatagramStream(
      LinkStream stream, Framing framing, DialReport report, DatagramTraffic traffic, Owner owner) {
    this.stream = stream;
    this.framing = framing;
    this.traffic = traffic;
    this.owner = owner;
    this.count = owner.count();
    this.dialling = report == DialReport.EXPECTED ? new DialStatusDecoder() : null;
  }

  DatagramStream start(@Nullable ByteBuffer first) {
    stream.attach(this);
    if (first != null) {
      stream.write(first);
    }
    schedule();
    return this;
  }

  /// There is something for [Owner#next], or [Owner#takes] became true.
  public void ready() {
    if (reacting) {
      again = true;
    } else {
      react();
    }
  }

  /// Ends the stream at once; [Owner#ended] is called before this returns, unless it was before.
  public void close() {
    if (!ended) {
      stream.reset();
      end(StreamEnd.Cause.RESET_HERE, null);
    }
  }

  /// For how long nothing has gone in either direction.
  public Duration idle() {
    return Duration.ofNanos(System.nanoTime() - lastActive);
  }

  // --- for LinkStream ---

  /// The stream changed: look at it once for all changes of this turn.
  @Override
  public void run() {
    schedule();
  }

  @Override
  public boolean waitsForWritable() {
    return wantsWritable;
  }

  private void schedule() {
    if (!scheduled && !ended) {
      scheduled = true;
      stream
          .link()
          .loop()
          .execute(() -> {
            scheduled = false;
            ready();
          });
    }
  }

  private void react() {
    reacting = true;
    try {
      do {
        again = false;
        if (!ended && dialDecided()) {
          deliver();
          endWithPeer();
        }
        if (!ended) {
          send();
        }
      } while (again && !ended);
    } finally {
      reacting = false;
    }
  }

  /// Reads the dial report; true when none is awaited any more and the stream goes on.
  private boolean dialDecided() {
    DialStatusDecoder dial = dialling;
    if (dial == null) {
      return true;
    }
    DialStatus failed = null;
    try {
      for (ByteBuffer bytes = stream.peek(); bytes != null; bytes = stream.peek()) {
        int before = bytes.remaining();
        DialStatus status = dial.feed(bytes);
        stream.consumedOfHead(before - bytes.remaining());
        if (status != null && status.code() == DialStatus.Code.CONNECTED) {
          dialling = null;
          owner.connected(status);
          return true;
        } else if (status != null) {
          failed = status;
          break;
        }
      }
    } catch (MalformedMessage e) {
      failed = new DialStatus(DialStatus.Code.FAILED, "the agent's dial status: " + e.getMessage());
    }
    if (failed == null && (stream.closeCause() != null || stream.atEnd())) {
      failed =
          new DialStatus(DialStatus.Code.FAILED, "the stream ended while the agent was dialling");
    }
    if (failed != null) {
      stream.reset();
      end(StreamEnd.Cause.DIAL_FAILED, failed);
    }
    return false;
  }

  private void deliver() {
    int datagrams = 0;
    try {
      while (owner.takes()) {
        ByteBuffer datagram = nextReceived();
        if (datagram == null) {
          break;
        }
        datagrams++;
        count.addFromPeer(datagram.remaining());
        owner.arrived(datagram);
      }
    } catch (MalformedMessage e) {
      traffic.addDropped(DatagramDrop.MALFORMED, 1);
      close();
      return;
    }
    if (datagrams > 0) {
      lastActive = System.nanoTime();
      pauseRunning = false;
      owner.arrivedAll();
    }
    if (framing == Framing.MESSAGES) {
      dropUntaken();
    }
  }

  private void dropUntaken() {
    int dropped = 0;
    while (!ended && stream.poll() != null) {
      dropped++;
    }
    traffic.addDropped(DatagramDrop.QUEUE_FULL, dropped);
  }

  private @Nullable ByteBuffer nextReceived() throws MalformedMessage {
    if (framing != Framing.LENGTHS) {
      return stream.poll();
    }
    while (true) {
      ByteBuffer bytes = incoming;
      if (bytes == null || !bytes.hasRemaining()) {
        bytes = stream.poll();
        incoming = bytes;
        if (bytes == null) {
          return null;
        }
      }
      ByteBuffer datagram = decoder.feed(bytes);
      if (datagram != null) {
        return datagram;
      }
    }
  }

  private void endWithPeer() {
    if (ended) {
      return;
    }
    CloseCause closed = stream.closeCause();
    StreamEnd.Cause cause =
        switch (closed) {
          case null -> stream.atEnd() && drained() ? StreamEnd.Cause.FINISHED : null;
          case FINISHED -> StreamEnd.Cause.FINISHED;
          case RESET_BY_PEER -> StreamEnd.Cause.RESET_BY_PEER;
          case RESET_LOCALLY -> StreamEnd.Cause.RESET_HERE;
          case OVER_BUDGET -> StreamEnd.Cause.OVER_BUDGET;
          case PEER_FAULT -> StreamEnd.Cause.PEER_FAULT;
          case SESSION_ENDED -> StreamEnd.Cause.LINK_LOST;
        };
    if (cause != null) {
      stream.reset();
      end(cause, null);
    }
  }

  private boolean drained() {
    ByteBuffer bytes = incoming;
    return bytes == null || !bytes.hasRemaining();
  }

  private void send() {
    switch (framing) {
      case LENGTHS -> sendMany();
      case YAMUX_FRAMES -> sendSpaced();
      case MESSAGES -> sendMessages();
    }
  }

  private void sendMessages() {
    while (!stream.unsent()) {
      ByteBuffer datagram = owner.next();
      if (datagram == null) {
        wantsWritable = false;
        return;
      }
      int size = datagram.remaining();
      if (size == 0 || size > LARGEST_IN_MESSAGE) {
        traffic.addDropped(DatagramDrop.UNSUPPORTED_SIZE, 1);
      } else {
        sent(1, size);
        stream.write(datagram);
      }
    }
    wantsWritable = true;
  }

  private void sendMany() {
    while (stream.canWrite()) {
      int size = gather();
      if (gathered.isEmpty()) {
        wantsWritable = false;
        return;
      }
      ByteBuffer write = ByteBuffer.allocate(size);
      for (ByteBuffer datagram : gathered) {
        DatagramFrames.put(write, datagram);
      }
      sent(gathered.size(), size - gathered.size() * DatagramFrames.size(0));
      gathered.clear();
      stream.write(write.flip());
    }
    wantsWritable = true;
  }

  private int gather() {
    int size = 0;
    while (size < FULL_WRITE) {
      ByteBuffer datagram = owner.next();
      if (datagram == null) {
        break;
      }
      size += DatagramFrames.size(datagram.remaining());
      gathered.add(datagram);
    }
    return size;
  }

  private void sendSpaced() {
    wantsWritable = true;
    while (!stream.unsent() && !pauseRunning) {
      if (spaced == null) {
        spaced = owner.next();
      }
      ByteBuffer datagram = spaced;
      if (datagram == null) {
        wantsWritable = false;
        return;
      }
      int size = datagram.remaining();
      if (size == 0 || size > Math.min(LARGEST_FOR_ORIGINAL, stream.steadyFrame())) {
        traffic.addDropped(DatagramDrop.UNSUPPORTED_SIZE, 1);
        spaced = null;
      } else {
        pause();
        if (size <= stream.sendCredit()) {
          spaced = null;
          sent(1, size);
          stream.write(datagram);
        }
      }
    }
  }

  private void pause() {
    pauseRunning = true;
    int number = ++pauses;
    stream
        .link()
        .loop()
        .schedule(
            SPACING,
            () -> {
              if (pauseRunning && number == pauses) {
                pauseRunning = false;
                ready();
              }
            });
  }

  private void sent(int datagrams, int bytes) {
    lastActive = System.nanoTime();
    count.addToPeer(bytes);
    traffic.addToPeer(datagrams, bytes);
  }

  private void end(StreamEnd.Cause cause, @Nullable DialStatus dial) {
    if (!ended) {
      ended = true;
      stream.detach();
      if (spaced != null) {
        traffic.addDropped(DatagramDrop.SESSION_ENDED, 1);
        spaced = null;
      }
      owner.ended(new StreamEnd(cause, count.toPeer(), count.fromPeer(), dial, List.of()));
    }
  }
}
