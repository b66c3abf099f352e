package dev.penstock.protocol.link;

import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.DialStatusDecoder;
import dev.penstock.protocol.control.MalformedMessage;
import dev.penstock.protocol.link.LinkStream.DialReport;
import dev.penstock.protocol.net.ConnectionLost;
import dev.penstock.protocol.net.Detach;
import dev.penstock.protocol.net.ReadMemory;
import dev.penstock.protocol.yamux.CloseCause;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.stream.Attributes;
import org.apache.pekko.stream.FlowShape;
import org.apache.pekko.stream.Inlet;
import org.apache.pekko.stream.Outlet;
import org.apache.pekko.stream.stage.AsyncCallback;
import org.apache.pekko.stream.stage.GraphStage;
import org.apache.pekko.stream.stage.GraphStageLogic;
import org.apache.pekko.stream.stage.InHandler;
import org.apache.pekko.stream.stage.OutHandler;
import org.jspecify.annotations.Nullable;

/// The stage behind [LinkStream#flow]: the inlet takes bytes for the peer, the outlet gives bytes
/// of the peer. Half-close and reset pass through in both directions.
///
/// Where the peer reports its dial, what is sent before the report is also kept (up to [#MAX_EARLY]
/// bytes, then demand stops): a failed dial ends the stage with [Detach], and the caller can say
/// the same again elsewhere. A stage that is failed with [Detach] from outside lets go of its
/// stream and tells nobody: what it has not passed on is still there for another flow.
final class StreamFlow extends GraphStage<FlowShape<ByteBuffer, ByteBuffer>> {
  /// Bytes kept for a second try.
  private static final int MAX_EARLY = 16 * 1024;

  /// A write up to this size does not stop demand for the next one.
  private static final int SMALL_WRITE = 16 * 1024;

  private final LinkStream stream;
  private final DialReport report;
  private final List<ByteBuffer> first;
  private final Traffic traffic;
  private final StreamObserver observer;
  private final Inlet<ByteBuffer> in = Inlet.create("StreamFlow.in");
  private final Outlet<ByteBuffer> out = Outlet.create("StreamFlow.out");
  private final FlowShape<ByteBuffer, ByteBuffer> shape = FlowShape.of(in, out);

  StreamFlow(
      LinkStream stream,
      DialReport report,
      List<ByteBuffer> first,
      Traffic traffic,
      StreamObserver observer) {
    this.stream = stream;
    this.report = report;
    this.first = first;
    this.traffic = traffic;
    this.observer = observer;
  }

  @Override
  public FlowShape<ByteBuffer, ByteBuffer> shape() {
    return shape;
  }

  @Override
  public GraphStageLogic createLogic(Attributes attributes) {
    return new Carrier();
  }

  /// A dial that is not decided yet.
  private static final class Dialling {
    final DialStatusDecoder decoder = new DialStatusDecoder();
    final List<ByteBuffer> early = new ArrayList<>(2);
    int earlyBytes;
  }

  private final class Carrier extends GraphStageLogic
      implements InHandler, OutHandler, LinkStream.WaitsForWritable {
    private final AsyncCallback<Carrier> changed = createAsyncCallback(Carrier::react);
    private boolean changePending;
    private boolean wantsWritable;
    private @Nullable Dialling dialling = report == DialReport.EXPECTED ? new Dialling() : null;
    private @Nullable ArrayDeque<ByteBuffer> again =
        first.isEmpty() ? null : new ArrayDeque<>(first);
    private boolean inputFinished;
    private boolean told;
    private final long openedAt = System.nanoTime();
    private final ByteCount count = observer.count();

    Carrier() {
      super(shape);
      setHandler(in, this);
      setHandler(out, this);
    }

    @Override
    public void preStart() {
      setKeepGoing(true);
      stream.attach(this);
      react();
    }

    /// The stream changed: look at it from inside the graph, once for all changes of this turn.
    @Override
    public void run() {
      if (!changePending) {
        changePending = true;
        changed.invoke(this);
      }
    }

    @Override
    public boolean waitsForWritable() {
      return wantsWritable;
    }

    private void react() {
      changePending = false;
      if (dialling != null && !dialDecided(dialling)) {
        return;
      }
      if (endedUnderUs() || dialSeemsFailed()) {
        return;
      }
      if (isAvailable(out)) {
        deliver();
      } else if (stream.atEnd() && !isClosed(out)) {
        completeOut();
      }
      take();
      completeWhenBothEnded();
    }

    /// Reads the dial report; false when the stage ended.
    private boolean dialDecided(Dialling dial) {
      try {
        for (ByteBuffer bytes = stream.peek(); bytes != null; bytes = stream.peek()) {
          int before = bytes.remaining();
          DialStatus status = dial.decoder.feed(bytes);
          stream.consumedOfHead(before - bytes.remaining());
          if (status != null) {
            if (status.code() != DialStatus.Code.CONNECTED) {
              return dialFailed(dial, status);
            }
            dialling = null;
            observer.connected(status);
            return true;
          }
        }
      } catch (MalformedMessage e) {
        return dialFailed(
            dial,
            new DialStatus(DialStatus.Code.FAILED, "the agent's dial status: " + e.getMessage()));
      }
      CloseCause closed = stream.closeCause();
      if (closed == CloseCause.SESSION_ENDED) {
        return dialFailed(
            dial, new DialStatus(DialStatus.Code.FAILED, "the link was lost during the dial"));
      } else if (closed != null || stream.atEnd()) {
        return dialFailed(
            dial,
            new DialStatus(DialStatus.Code.FAILED, "the agent ended the stream during the dial"));
      }
      take();
      return false;
    }

    private boolean dialFailed(Dialling dial, DialStatus status) {
      if (again != null) {
        dial.early.addAll(again);
      }
      stream.reset();
      end(StreamEnd.Cause.DIAL_FAILED, status, dial.early);
      failStage(new Detach());
      return false;
    }

    /// Whether the stream was cut; then both sides of the stage fail.
    private boolean endedUnderUs() {
      CloseCause closed = stream.closeCause();
      StreamEnd.Cause cause =
          switch (closed) {
            case null -> null;
            case FINISHED -> null;
            case RESET_BY_PEER -> StreamEnd.Cause.RESET_BY_PEER;
            case RESET_LOCALLY -> StreamEnd.Cause.RESET_HERE;
            case OVER_BUDGET -> StreamEnd.Cause.OVER_BUDGET;
            case PEER_FAULT -> StreamEnd.Cause.PEER_FAULT;
            case SESSION_ENDED -> StreamEnd.Cause.LINK_LOST;
          };
      if (cause == null) {
        return false;
      }
      end(cause, null, List.of());
      failStage(new ConnectionLost(cause.name()));
      return true;
    }

    /// Whether the peer's way to end the stream is taken for a failed dial; then the stage ended.
    private boolean dialSeemsFailed() {
      if (report != DialReport.INFERRED
          || count.fromPeer() > 0
          || inputFinished
          || !stream.atEnd()
          || isClosed(out)
          || System.nanoTime() - openedAt > DialReport.DIAL_WINDOW.toNanos()) {
        return false;
      }
      stream.reset();
      end(
          StreamEnd.Cause.DIAL_FAILED,
          new DialStatus(
              DialStatus.Code.FAILED,
              "the agent ended the stream without a byte, as it does when a dial failed"),
          List.of());
      failStage(new Detach());
      return true;
    }

    private void deliver() {
      ByteBuffer bytes = stream.poll();
      if (bytes != null) {
        if (count.fromPeer() == 0) {
          observer.firstReceived();
        }
        count.addFromPeer(bytes.remaining());
        traffic.addFromPeer(bytes.remaining());
        push(out, bytes);
      } else if (stream.atEnd()) {
        completeOut();
        completeWhenBothEnded();
      }
    }

    private void completeOut() {
      observer.peerFinished();
      complete(out);
    }

    /// Asks for more to send when there is room for it.
    private void take() {
      while (again != null && stream.canWrite()) {
        ByteBuffer bytes = again.poll();
        if (bytes == null) {
          again = null;
          finishWhenAllSaid();
        } else {
          send(bytes);
        }
      }
      if (again != null
          || !stream.canWrite()
          || (dialling != null && dialling.earlyBytes >= MAX_EARLY)) {
        wantsWritable = true;
      } else if (!isClosed(in) && !hasBeenPulled(in)) {
        wantsWritable = false;
        pull(in);
      }
    }

    private void send(ByteBuffer bytes) {
      if (dialling != null) {
        dialling.early.add(ReadMemory.copyOf(bytes));
        dialling.earlyBytes += bytes.remaining();
      }
      stream.write(bytes);
    }

    @Override
    public void onPush() {
      ByteBuffer bytes = grab(in);
      int size = bytes.remaining();
      if (count.toPeer() == 0) {
        observer.firstSent();
      }
      count.addToPeer(size);
      traffic.addToPeer(size);
      send(bytes);
      if (size <= SMALL_WRITE) {
        take();
      } else {
        wantsWritable = true;
      }
    }

    @Override
    public void onPull() {
      if (dialling == null && !dialSeemsFailed()) {
        deliver();
      }
    }

    @Override
    public void onUpstreamFinish() {
      inputFinished = true;
      finishWhenAllSaid();
      completeWhenBothEnded();
    }

    private void finishWhenAllSaid() {
      if (inputFinished && again == null) {
        stream.finish();
      }
    }

    @Override
    public void onUpstreamFailure(@Nullable Throwable cause) {
      if (cause instanceof Detach) {
        leave(cause);
        return;
      }
      stream.reset();
      end(StreamEnd.Cause.RESET_HERE, null, List.of());
      failStage(cause);
    }

    @Override
    public void onDownstreamFinish(@Nullable Throwable cause) {
      onUpstreamFailure(cause);
    }

    /// The other side lets go of this one, which may be carried again.
    private void leave(Throwable cause) {
      told = true;
      stream.detach();
      failStage(cause);
    }

    private void completeWhenBothEnded() {
      if (inputFinished && isClosed(out)) {
        end(StreamEnd.Cause.FINISHED, null, List.of());
        completeStage();
      }
    }

    private void end(StreamEnd.Cause cause, @Nullable DialStatus dial, List<ByteBuffer> early) {
      if (!told) {
        told = true;
        stream.detach();
        observer.ended(new StreamEnd(cause, count.toPeer(), count.fromPeer(), dial, early));
      }
    }

    @Override
    public void postStop() {
      if (!told) {
        stream.reset();
        end(StreamEnd.Cause.RESET_HERE, null, List.of());
      }
    }
  }
}
