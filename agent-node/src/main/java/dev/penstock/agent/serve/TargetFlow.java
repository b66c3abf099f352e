package dev.penstock.agent.serve;

import dev.penstock.agent.observe.AgentMeters;
import dev.penstock.config.HostPort;
import dev.penstock.live.LiveStream;
import dev.penstock.observe.Passage;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.DatagramFrames;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.ByteCount;
import dev.penstock.protocol.link.DatagramDrop;
import dev.penstock.protocol.link.DatagramQueue;
import dev.penstock.protocol.link.DatagramStream;
import dev.penstock.protocol.link.DatagramTraffic;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.link.StreamEnd;
import dev.penstock.protocol.net.DialFailure;
import dev.penstock.protocol.net.EventLoops;
import dev.penstock.protocol.net.ProxyHeader;
import dev.penstock.protocol.net.Tcp;
import dev.penstock.protocol.net.Udp;
import dev.penstock.protocol.net.UdpSocket;
import dev.penstock.protocol.yamux.ByteBudget;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One UDP session that the gateway opened, joined with a socket of its own that is connected to
/// the service, so that answers find their client: its life, not its datagrams. Runs on the link's
/// loop. A service that cannot be reached is an error of this session and of nothing else.
public final class TargetFlow {
  /// What this session is told.
  public sealed interface Command {}

  private record Dialled() implements Command {}

  private record NotDialled(DialFailure why) implements Command {}

  private record Ended(StreamEnd end) implements Command {}

  private record LookForIdleness() implements Command {}

  private record TunnelGone() implements Command {}

  /// What the UDP sessions of one agent share.
  ///
  /// @param budget bytes that the queues of all sessions together may hold
  public record Shared(EventLoops loops, Targets targets, ByteBudget budget, AgentMeters meters) {}

  private static final Logger log = LoggerFactory.getLogger(TargetFlow.class);

  private final Shared shared;
  private final LinkStream stream;
  private final StreamHeader header;
  private final Set<Capability> agreed;
  private final TimerScheduler<Command> timers;
  private final ActorRef<Command> self;
  private final Telling telling;
  private @Nullable LiveStream live;
  private @Nullable String service;
  private @Nullable HostPort endpoint;
  private long dialledAt;

  private TargetFlow(
      Shared shared,
      LinkStream stream,
      StreamHeader header,
      Set<Capability> agreed,
      TimerScheduler<Command> timers,
      ActorRef<Command> self) {
    this.shared = shared;
    this.stream = stream;
    this.header = header;
    this.agreed = agreed;
    this.timers = timers;
    this.self = self;
    this.telling =
        new Telling(shared.meters(), stream, header, Passage.Kind.FLOW, System.nanoTime());
  }

  /// A session that opens its socket at once.
  ///
  /// @param agreed the extensions that both ends of the link named
  public static Behavior<Command> create(
      Shared shared, LinkStream stream, StreamHeader header, Set<Capability> agreed) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers ->
            new TargetFlow(shared, stream, header, agreed, timers, context.getSelf()).dial()));
  }

  private Behavior<Command> dial() {
    Optional<Target> found = shared.targets().of(Protocol.UDP, header.tunnelId());
    if (found.isEmpty()) {
      return refused(
          new DialStatus(
              DialStatus.Code.UNKNOWN_TUNNEL,
              "this agent has no tunnel " + header.tunnelId() + " for udp"));
    }
    Target target = found.get();
    Exposure exposure = target.exposure();
    service = exposure.name();
    if (!target.connections().enter()) {
      return refused(
          new DialStatus(
              DialStatus.Code.OVER_LIMIT,
              "sessions of this agent to "
                  + exposure.name()
                  + ": "
                  + target.connections().limit()
                  + " are open (expected: at most tunnels.udp.max_sessions)"));
    }
    switch (exposure.backends().choose(header.caller())) {
      // A datagram is answered or not: no socket knows whether another endpoint were better.
      case Backends.Choice.Endpoints(var inOrder) -> endpoint = inOrder.getFirst();
      case Backends.Choice.Nowhere(var why) -> {
        target.connections().leave();
        return refused(new DialStatus(DialStatus.Code.REFUSED, why));
      }
    }
    LiveStream shown = telling.show(() -> self.tell(new TunnelGone()));
    live = shown;
    HostPort to = endpoint;
    var carrier = new Carrier(shared, exposure, header, self, shown);
    Runnable stop = () -> self.tell(new TunnelGone());
    target.streams().joined(stop);
    Udp.connect(shared.loops(), stream.link().loop(), to.host(), to.port(), carrier)
        .whenComplete((socket, failed) -> {
          if (failed == null) {
            carrier.opened(socket);
            self.tell(new Dialled());
          } else {
            self.tell(new NotDialled(Tcp.failureOf(failed)));
          }
        });
    return Behaviors.receive(Command.class)
        .onAnyMessage(command -> on(command, carrier, exposure.udp().sessionTimeout()))
        .onSignal(
            PostStop.class,
            _ -> {
              telling.hide();
              target.connections().leave();
              target.streams().left(stop);
              carrier.close();
              return Behaviors.same();
            })
        .build();
  }

  private Behavior<Command> on(Command command, Carrier carrier, Duration timeout) {
    return switch (command) {
      case Dialled() -> {
        dialledAt = System.nanoTime();
        carry(carrier, timeout);
        yield Behaviors.same();
      }
      case NotDialled(var why) ->
          refused(
              new DialStatus(TargetStream.codeOf(why.kind()), String.valueOf(why.getMessage())));
      case LookForIdleness() -> {
        carrier.countKernelDrops();
        Duration left = timeout.minus(carrier.idle());
        if (left.isPositive()) {
          timers.startSingleTimer(new LookForIdleness(), left);
        } else {
          carrier.close();
        }
        yield Behaviors.same();
      }
      case TunnelGone() -> {
        carrier.close();
        yield Behaviors.same();
      }
      case Ended(var end) -> {
        telling.ended(way(), end, end.cause(), dialledAt, carrier.firstAnswerAt);
        yield Behaviors.stopped();
      }
    };
  }

  private void carry(Carrier carrier, Duration timeout) {
    if (live != null) {
      live.reached();
    }
    shared.meters().udpSessionStarted();
    carrier.start(
        stream.datagrams(
            agreed.contains(Capability.UDP_FRAMES)
                ? DatagramStream.Framing.LENGTHS
                : DatagramStream.Framing.YAMUX_FRAMES,
            LinkStream.DialReport.NONE,
            agreed.contains(Capability.DIAL_STATUS) ? DialStatus.connected().encode() : null,
            shared.meters().datagrams(),
            carrier));
    timers.startSingleTimer(new LookForIdleness(), timeout);
  }

  private Telling.Way way() {
    return new Telling.Way(service, endpoint, null);
  }

  private Behavior<Command> refused(DialStatus status) {
    telling.refused(way(), status);
    shared.meters().udpFailed(status.code());
    log.atInfo()
        .addKeyValue("tunnel", header.tunnelId())
        .addKeyValue("link", stream.link().number())
        .addKeyValue("stream", stream.number())
        .addKeyValue("reason", status.code().label())
        .addKeyValue("detail", status.text())
        .log("a UDP service could not be reached");
    if (agreed.contains(Capability.DIAL_STATUS)) {
      stream.refuse(status.encode());
    } else {
      stream.reset();
    }
    return Behaviors.stopped();
  }

  /// Takes the service's datagrams for the gateway and gives the gateway's to the service. Belongs
  /// to the link's loop.
  private static final class Carrier implements DatagramStream.Owner, UdpSocket.Receiver {
    private final Shared shared;
    private final int largest;

    /// The header that the service wants in front of each datagram.
    private final @Nullable ByteBuffer inFront;

    private final ActorRef<Command> actor;
    private final LiveStream live;
    private final DatagramTraffic traffic;
    private final DatagramQueue queue;
    private @Nullable UdpSocket socket;
    private @Nullable DatagramStream stream;
    private boolean over;
    private long kernelDrops;

    /// Nanoseconds of the monotonic clock; 0 before.
    private long firstAnswerAt;

    private int sent;
    private long sentBytes;

    Carrier(
        Shared shared,
        Exposure service,
        StreamHeader header,
        ActorRef<Command> actor,
        LiveStream live) {
      this.live = live;
      this.shared = shared;
      this.largest = service.udp().bufferSize();
      this.inFront =
          service.proxyProtocol() == ProxyHeader.NONE
              ? null
              : ProxyHeader.ofDatagram(header.caller());
      this.actor = actor;
      this.traffic = shared.meters().datagrams();
      this.queue = new DatagramQueue(DatagramQueue.Limits.defaults(), shared.budget(), traffic);
    }

    /// What the service sends from now on waits in the queue.
    void opened(UdpSocket connected) {
      if (over) {
        connected.close();
      } else {
        socket = connected;
      }
    }

    @Override
    public ByteCount count() {
      return live.count();
    }

    void start(DatagramStream carriedBy) {
      stream = carriedBy;
    }

    Duration idle() {
      return stream == null ? Duration.ZERO : stream.idle();
    }

    void countKernelDrops() {
      if (socket != null) {
        long now = socket.kernelDrops();
        traffic.addDropped(DatagramDrop.RECEIVE_BUFFER_FULL, now - kernelDrops);
        kernelDrops = Math.max(now, kernelDrops);
      }
    }

    void close() {
      over = true;
      if (stream != null) {
        stream.close();
      } else if (socket != null) {
        queue.clear(DatagramDrop.SESSION_ENDED);
        countKernelDrops();
        socket.close();
        socket = null;
      }
    }

    // --- UdpSocket.Receiver: from the service ---

    @Override
    public void received(ByteBuffer datagram, InetSocketAddress from) {
      if (firstAnswerAt == 0) {
        firstAnswerAt = System.nanoTime();
      }
      if (datagram.remaining() > largest) {
        traffic.addDropped(DatagramDrop.TOO_LARGE, 1);
      } else {
        queue.add(datagram);
      }
    }

    @Override
    public void receivedAll() {
      if (stream != null) {
        stream.ready();
      }
    }

    @Override
    public void notSent(int datagrams, int bytes) {
      traffic.addFromPeer(-datagrams, -bytes);
      traffic.addDropped(DatagramDrop.SEND_FAILED, datagrams);
    }

    @Override
    public void failed(String why) {
      shared.meters().udpFailed(DialStatus.Code.UNREACHABLE);
    }

    // --- DatagramStream.Owner: from the gateway ---

    @Override
    public @Nullable ByteBuffer next() {
      return queue.poll();
    }

    @Override
    public boolean takes() {
      return true;
    }

    @Override
    public void arrived(ByteBuffer datagram) {
      UdpSocket to = socket;
      int more = inFront == null ? 0 : inFront.remaining();
      if (datagram.remaining() > Math.min(largest, DatagramFrames.MAX_DATAGRAM - more)) {
        traffic.addDropped(DatagramDrop.TOO_LARGE, 1);
      } else if (to == null || !to.writable()) {
        traffic.addDropped(DatagramDrop.SOCKET_FULL, 1);
      } else {
        sent++;
        sentBytes += datagram.remaining();
        to.send(inFront == null ? datagram : behind(inFront, datagram));
      }
    }

    private static ByteBuffer behind(ByteBuffer front, ByteBuffer datagram) {
      return ByteBuffer.allocate(front.remaining() + datagram.remaining())
          .put(front.duplicate())
          .put(datagram)
          .flip();
    }

    @Override
    public void arrivedAll() {
      traffic.addFromPeer(sent, sentBytes);
      sent = 0;
      sentBytes = 0;
    }

    @Override
    public void connected() {}

    @Override
    public void ended(StreamEnd end) {
      queue.clear(DatagramDrop.SESSION_ENDED);
      countKernelDrops();
      if (socket != null) {
        socket.close();
        socket = null;
        shared.meters().udpSessionEnded();
      }
      actor.tell(new Ended(end));
    }
  }
}
