package dev.penstock.gateway.links;

import dev.penstock.config.HostPort;
import dev.penstock.gateway.observe.GatewayMeters;
import dev.penstock.live.LiveStream;
import dev.penstock.observe.Passage;
import dev.penstock.protocol.control.CallerAddress;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.ByteCount;
import dev.penstock.protocol.link.DatagramDrop;
import dev.penstock.protocol.link.DatagramQueue;
import dev.penstock.protocol.link.DatagramStream;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.link.StreamEnd;
import dev.penstock.protocol.net.Loop;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/// One client's flow joined with one stream of one link: its life, not its datagrams. Runs on the
/// link's loop. Stopping it ends the stream.
public final class UdpSession {
  /// What this session is told.
  public sealed interface Command {}

  private record Connected() implements Command {}

  private record Ended(StreamEnd end) implements Command {}

  private record LookForIdleness() implements Command {}

  /// An operator wants it closed.
  private record CloseNow() implements Command {}

  /// Ends it once nothing has gone in either direction for so long.
  record EndQuiet(Duration after) implements Command {}

  private final UdpFlow flow;
  private final Way link;
  private final GatewayMeters meters;
  private final UdpSessions all;
  private final TimerScheduler<Command> timers;
  private final ActorRef<Command> self;
  private final Carrier carrier;
  private long linkNumber;
  private long stream;
  private long openedAt;
  private long connectedAt;

  /// How long nothing may go in either direction.
  private Duration timeout;

  private UdpSession(
      UdpFlow flow,
      Way link,
      GatewayMeters meters,
      UdpSessions all,
      Duration timeout,
      TimerScheduler<Command> timers,
      ActorRef<Command> self) {
    this.flow = flow;
    this.link = link;
    this.meters = meters;
    this.all = all;
    this.timeout = timeout;
    this.timers = timers;
    this.self = self;
    this.carrier = new Carrier(flow, link, self);
  }

  /// A session that opens its stream at once.
  ///
  /// @param all the sessions of this node
  /// @param timeout how long nothing may go in either direction
  public static Behavior<Command> create(
      UdpFlow flow, Way link, GatewayMeters meters, UdpSessions all, Duration timeout) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers ->
            new UdpSession(flow, link, meters, all, timeout, timers, context.getSelf()).open()));
  }

  private Behavior<Command> open() {
    LinkStream stream = link.open(header(), flow.tunnel().listenerPort());
    if (stream == null) {
      link.released();
      flow.loop().run(() -> flow.notCarried(link, List.of(), null));
      return Behaviors.stopped();
    }
    meters.udpSessionOpened();
    if (flow.isOfClient()) {
      LiveStream live = live();
      carrier.showAs(live, () -> meters.live().streams().sessionEnded(live));
    }
    openedAt = System.nanoTime();
    linkNumber = stream.link().number();
    this.stream = stream.number();
    carrier.start(stream);
    timers.startSingleTimer(new LookForIdleness(), timeout);
    all.began(self);
    return Behaviors.receive(Command.class)
        .onAnyMessage(this::on)
        .onSignal(
            PostStop.class,
            _ -> {
              all.ended(self);
              carrier.close();
              return Behaviors.same();
            })
        .build();
  }

  private LiveStream live() {
    var identity = flow.tunnel().identity();
    return meters
        .live()
        .streams()
        .sessionOpened(
            identity.cluster(),
            identity.tunnelId(),
            new LiveStream.Facts(HostPort.show(flow.client()), link.linkId(), link.via()),
            () -> self.tell(new CloseNow()));
  }

  private StreamHeader header() {
    var facts = flow.tunnel();
    return new StreamHeader(
            Protocol.UDP,
            facts.servicePort(),
            facts.serviceName(),
            facts.serviceNamespace(),
            facts.identity().tunnelId(),
            link.can(Capability.CALLER_ADDRESS)
                ? new CallerAddress(flow.client(), flow.listener())
                : null)
        .traced(link.can(Capability.TRACE_CONTEXT) ? flow.trace() : null);
  }

  private Behavior<Command> on(Command command) {
    return switch (command) {
      case Connected() -> {
        connectedAt = System.nanoTime();
        meters.connected(connectedAt - flow.startedAt());
        yield Behaviors.same();
      }
      case CloseNow() -> {
        carrier.close();
        yield Behaviors.same();
      }
      case LookForIdleness() -> {
        endIfQuiet();
        yield Behaviors.same();
      }
      case EndQuiet(var after) -> {
        if (after.compareTo(timeout) < 0) {
          timeout = after;
          endIfQuiet();
        }
        yield Behaviors.same();
      }
      case Ended(var end) -> {
        meters.udpSessionEnded();
        if (end.dial() != null && link.failed(end.dial())) {
          meters.dialFailed(end.dial().code());
        }
        tell(end);
        yield Behaviors.stopped();
      }
    };
  }

  private void tell(StreamEnd end) {
    if (meters.access().isOn()) {
      meters
          .access()
          .write(
              flow.tunnel()
                  .describe(
                      new Passage(flow.kind(), flow.startedAt()), flow.client(), flow.listener())
                  .with("via", link.node())
                  .with("tries", flow.tried().size() + 1)
                  .with("link", linkNumber)
                  .with("stream", stream)
                  .with("bytesToService", end.toPeer())
                  .with("bytesToClient", end.fromPeer())
                  .with("cause", end.cause())
                  .with("detail", end.dial() == null ? null : end.dial().text())
                  .traced(flow.trace(), flow.traceAbove())
                  .step(Passage.Step.CHOOSE, flow.startedAt(), openedAt)
                  .step(Passage.Step.DIAL, openedAt, connectedAt)
                  .step(Passage.Step.FIRST_BYTE, flow.startedAt(), carrier.firstAnswerAt));
    }
  }

  private void endIfQuiet() {
    Duration left = timeout.minus(carrier.idle());
    if (left.isPositive()) {
      timers.startSingleTimer(new LookForIdleness(), left);
    } else {
      carrier.close();
    }
  }

  /// The link's end of a [UdpFlow]: takes batches from the public port's loop and gives the agent's
  /// answers back in batches. Belongs to the link's loop.
  static final class Carrier implements DatagramStream.Owner {
    /// What is kept until the agent said that it reached the service, to be said again to another.
    private static final int MAX_EARLY = 16 * 1024;

    private final UdpFlow flow;
    private final Way link;
    private final ActorRef<Command> actor;
    private final Loop loop;
    private final ArrayDeque<ByteBuffer> waiting = new ArrayDeque<>();
    private @Nullable LiveStream live;
    private Runnable hide = () -> {};
    private @Nullable DatagramStream stream;
    private @Nullable List<ByteBuffer> early;
    private int earlyBytes;

    /// Taken off [#waiting] and not yet told to the flow.
    private int taken;

    private List<ByteBuffer> answers = new ArrayList<>();
    private int answered;

    /// Bytes of answers that the public port's loop has not sent yet.
    private int answersAhead;

    private boolean ended;

    /// Nanoseconds of the monotonic clock; 0 before.
    private long firstAnswerAt;

    /// After a failed dial, until the flow hands nothing over any more: all that may be said again.
    private @Nullable List<ByteBuffer> unsent;

    Carrier(UdpFlow flow, Way link, ActorRef<Command> actor) {
      this.flow = flow;
      this.link = link;
      this.actor = actor;
      this.loop = link.loop();
      this.early = link.reportsDials(Protocol.UDP) ? new ArrayList<>() : null;
    }

    Loop loop() {
      return loop;
    }

    /// How operators see it, unless another node shows it.
    ///
    /// @param over runs when it is over
    void showAs(LiveStream shown, Runnable over) {
      live = shown;
      hide = over;
    }

    void start(LinkStream carriedBy) {
      stream =
          carriedBy.datagrams(
              link.framing(),
              link.reportsDials(Protocol.UDP)
                  ? LinkStream.DialReport.EXPECTED
                  : LinkStream.DialReport.NONE,
              null,
              flow.traffic(),
              this);
      boolean saysNothing = early == null;
      if (saysNothing && live != null) {
        live.reached();
      }
      flow.loop()
          .run(() -> {
            flow.carriedBy(this);
            if (saysNothing) {
              flow.reached();
            }
          });
    }

    @Override
    public ByteCount count() {
      return live == null ? new ByteCount() : live.count();
    }

    Duration idle() {
      return stream == null ? Duration.ZERO : stream.idle();
    }

    /// A batch of the client's datagrams.
    void take(List<ByteBuffer> batch) {
      if (unsent != null) {
        unsent.addAll(batch);
        return;
      }
      if (ended || stream == null) {
        flow.traffic().addDropped(DatagramDrop.SESSION_ENDED, batch.size());
        return;
      }
      waiting.addAll(batch);
      stream.ready();
      tellTaken();
    }

    void close() {
      if (stream != null) {
        stream.close();
      }
    }

    @Override
    public @Nullable ByteBuffer next() {
      if (early != null && earlyBytes >= MAX_EARLY) {
        return null;
      }
      ByteBuffer datagram = waiting.poll();
      if (datagram == null) {
        tellTaken();
        return null;
      }
      taken += DatagramQueue.costOf(datagram);
      if (early != null) {
        early.add(datagram.duplicate());
        earlyBytes += datagram.remaining();
      }
      if (taken >= UdpFlow.AHEAD / 2) {
        tellTaken();
      }
      return datagram;
    }

    private void tellTaken() {
      int cost = taken;
      if (cost > 0) {
        taken = 0;
        // Never at once, even on the same loop: the flow would hand over more from inside.
        flow.loop().execute(() -> flow.taken(this, cost));
      }
    }

    @Override
    public boolean takes() {
      return answersAhead + answered < UdpFlow.AHEAD;
    }

    @Override
    public void arrived(ByteBuffer datagram) {
      if (firstAnswerAt == 0) {
        firstAnswerAt = System.nanoTime();
      }
      answered += DatagramQueue.costOf(datagram);
      answers.add(datagram);
    }

    @Override
    public void arrivedAll() {
      List<ByteBuffer> batch = answers;
      int cost = answered;
      answers = new ArrayList<>(batch.size());
      answered = 0;
      if (flow.loop().inLoop()) {
        flow.answer(batch);
        return;
      }
      answersAhead += cost;
      flow.loop()
          .execute(() -> {
            flow.answer(batch);
            loop.execute(() -> sent(cost));
          });
    }

    private void sent(int cost) {
      boolean stopped = !takes();
      answersAhead -= cost;
      if (stopped && stream != null && !ended) {
        stream.ready();
      }
    }

    @Override
    public void connected(DialStatus status) {
      link.reached(status);
      connected();
      flow.loop().run(flow::reached);
    }

    @Override
    public void connected() {
      early = null;
      if (live != null) {
        live.reached();
      }
      actor.tell(new Connected());
      if (stream != null) {
        stream.ready();
      }
    }

    @Override
    public void ended(StreamEnd end) {
      ended = true;
      hide.run();
      link.released();
      if (end.cause() == StreamEnd.Cause.DIAL_FAILED) {
        var again = early == null ? new ArrayList<ByteBuffer>() : new ArrayList<>(early);
        again.addAll(waiting);
        giveBack(again, end);
      } else {
        flow.traffic().addDropped(DatagramDrop.SESSION_ENDED, waiting.size());
        flow.loop().run(flow::ended);
      }
      waiting.clear();
      actor.tell(new Ended(end));
    }

    /// The flow may have handed over more, which is still on its way here: it stops that first.
    private void giveBack(List<ByteBuffer> again, StreamEnd end) {
      unsent = again;
      flow.loop()
          .run(() -> {
            flow.leave(this);
            loop.run(() -> {
              unsent = null;
              flow.loop().run(() -> flow.notCarried(link, again, end));
            });
          });
    }
  }
}
