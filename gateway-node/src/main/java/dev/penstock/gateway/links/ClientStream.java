package dev.penstock.gateway.links;

import dev.penstock.config.HostPort;
import dev.penstock.gateway.observe.BadPeers;
import dev.penstock.gateway.observe.ClientRefusal;
import dev.penstock.gateway.observe.GatewayMeters;
import dev.penstock.live.LiveStream;
import dev.penstock.observe.Passage;
import dev.penstock.protocol.control.CallerAddress;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.ByteCount;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.link.StreamEnd;
import dev.penstock.protocol.link.StreamObserver;
import java.time.Duration;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.stream.Materializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One client's connection joined with one stream of one way: its life, not its bytes. Runs on the
/// way's loop. Stopping it resets both.
public final class ClientStream {
  /// What this stream is told.
  public sealed interface Command {}

  private record Connected() implements Command {}

  private record Idle() implements Command {}

  private record PeerFinished() implements Command {}

  private record StillHalfClosed() implements Command {}

  /// An operator wants it closed.
  private record CloseNow() implements Command {}

  private record Ended(StreamEnd end) implements Command {}

  private static final Logger log = LoggerFactory.getLogger(ClientStream.class);

  private final Client client;
  private final Way way;
  private final GatewayMeters meters;
  private final BadPeers badPeers;
  private final Duration idleTimeout;
  private final Duration halfClosedTimeout;

  private final Times times = new Times();

  /// Why this side cut the connection; null while it did not.
  private StreamEnd.@Nullable Cause cut;

  private ClientStream(
      Client client,
      Way way,
      GatewayMeters meters,
      BadPeers badPeers,
      Duration idleTimeout,
      Duration halfClosedTimeout) {
    this.client = client;
    this.way = way;
    this.meters = meters;
    this.badPeers = badPeers;
    this.idleTimeout = idleTimeout;
    this.halfClosedTimeout = halfClosedTimeout;
  }

  public static Behavior<Command> create(
      Client client, Way way, GatewayLink.Shared shared, Materializer materializer) {
    return create(
        client,
        way,
        shared.meters(),
        shared.badPeers(),
        shared.clientIdleTimeout(),
        shared.originals().halfClosedTimeout(),
        materializer);
  }

  /// A stream that opens at once.
  ///
  /// @param idleTimeout without bytes either way, after which the client is cut; zero for never
  /// @param halfClosedTimeout the same once an agent without our extensions has ended its direction
  public static Behavior<Command> create(
      Client client,
      Way way,
      GatewayMeters meters,
      BadPeers badPeers,
      Duration idleTimeout,
      Duration halfClosedTimeout,
      Materializer materializer) {
    return Behaviors.setup(context -> {
      var stream = new ClientStream(client, way, meters, badPeers, idleTimeout, halfClosedTimeout);
      stream.watch(context.getSelf());
      return stream.open(context.getSelf(), materializer);
    });
  }

  private void watch(ActorRef<Command> self) {
    if (!idleTimeout.isZero()) {
      client.connection().onIdle(idleTimeout, () -> self.tell(new Idle()));
    }
  }

  private Behavior<Command> open(ActorRef<Command> self, Materializer materializer) {
    LinkStream stream = way.open(header(), client.tunnel().listenerPort());
    if (stream == null) {
      way.released();
      var why = new DialStatus(DialStatus.Code.FAILED, "the link takes no more streams");
      way.failed(why);
      client.owner().tell(new NotCarried(client.after(way, List.of()), why));
      return Behaviors.stopped();
    }
    meters.streamOpened();
    var live = live(self);
    times.openedAt = System.nanoTime();
    times.link = stream.link().number();
    times.stream = stream.number();
    var report = reportsDials() ? LinkStream.DialReport.EXPECTED : LinkStream.DialReport.INFERRED;
    client
        .connection()
        .lendingFlow()
        .join(
            stream.flow(
                report,
                client.early(),
                meters.traffic(),
                new ToActor(self, way, client.acceptedAt(), meters, live, times)))
        .withAttributes(way.loop().attributes())
        .run(materializer);
    return Behaviors.receiveMessage(command -> on(command, self));
  }

  private LiveStream live(ActorRef<Command> self) {
    var identity = client.tunnel().identity();
    return meters
        .live()
        .streams()
        .streamOpened(
            identity.cluster(),
            identity.tunnelId(),
            new LiveStream.Facts(
                HostPort.show(client.connection().remoteAddress()), way.linkId(), way.via()),
            () -> self.tell(new CloseNow()));
  }

  private boolean reportsDials() {
    return way.reportsDials(Protocol.TCP);
  }

  /// What the access log wants to know; belongs to the loop. Moments that never came are 0.
  private static final class Times {
    long link;
    long stream;
    long openedAt;
    long connectedAt;
    long firstByteAt;
  }

  private record ToActor(
      ActorRef<Command> actor,
      Way way,
      long acceptedAt,
      GatewayMeters meters,
      LiveStream live,
      Times times)
      implements StreamObserver {
    @Override
    public ByteCount count() {
      return live.count();
    }

    @Override
    public void connected() {
      live.reached();
      times.connectedAt = System.nanoTime();
      actor.tell(new Connected());
    }

    @Override
    public void connected(DialStatus status) {
      way.reached(status);
      connected();
    }

    @Override
    public void firstReceived() {
      if (!way.can(Capability.DIAL_STATUS)) {
        way.reached(DialStatus.connected());
        live.reached();
      }
      times.firstByteAt = System.nanoTime();
      meters.firstByte(times.firstByteAt - acceptedAt);
    }

    @Override
    public void peerFinished() {
      if (!way.can(Capability.DIAL_STATUS)) {
        actor.tell(new PeerFinished());
      }
    }

    @Override
    public void ended(StreamEnd end) {
      meters.live().streams().streamEnded(live);
      actor.tell(new Ended(end));
    }
  }

  private StreamHeader header() {
    var facts = client.tunnel();
    return new StreamHeader(
            Protocol.TCP,
            facts.servicePort(),
            facts.serviceName(),
            facts.serviceNamespace(),
            facts.identity().tunnelId(),
            way.can(Capability.CALLER_ADDRESS)
                ? new CallerAddress(
                    client.connection().remoteAddress(), client.connection().localAddress())
                : null)
        .traced(way.can(Capability.TRACE_CONTEXT) ? client.trace() : null);
  }

  private Behavior<Command> on(Command command, ActorRef<Command> self) {
    return switch (command) {
      case Connected() -> {
        meters.connected(times.connectedAt - client.acceptedAt());
        yield Behaviors.same();
      }
      case Idle() -> {
        cut(StreamEnd.Cause.IDLE);
        yield Behaviors.same();
      }
      case CloseNow() -> {
        cut(StreamEnd.Cause.OPERATOR);
        yield Behaviors.same();
      }
      case PeerFinished() -> {
        limitHalfClosed(self);
        yield Behaviors.same();
      }
      case StillHalfClosed() -> {
        cut(StreamEnd.Cause.HALF_CLOSED);
        yield Behaviors.same();
      }
      case Ended(var end) -> {
        ended(end);
        yield Behaviors.stopped();
      }
    };
  }

  /// An original agent ends its direction in order when its service was reset, too. It goes on
  /// taking what the client says, for minutes, and a client that only listens would never learn.
  private void limitHalfClosed(ActorRef<Command> self) {
    boolean sooner = idleTimeout.isZero() || halfClosedTimeout.compareTo(idleTimeout) < 0;
    if (!way.can(Capability.DIAL_STATUS) && !halfClosedTimeout.isZero() && sooner) {
      client.connection().onIdle(halfClosedTimeout, () -> self.tell(new StillHalfClosed()));
    }
  }

  private void cut(StreamEnd.Cause why) {
    if (cut == null) {
      cut = why;
      client.connection().reset();
    }
  }

  private void ended(StreamEnd end) {
    way.released();
    StreamEnd.Cause cause = cut == null ? end.cause() : cut;
    meters.streamEnded(cause);
    DialStatus dial = end.dial();
    if (dial == null) {
      tell(cause, end);
    } else {
      log.atDebug()
          .addKeyValue("cluster", client.tunnel().identity().cluster())
          .addKeyValue("tunnel", client.tunnel().identity().tunnelId())
          .addKeyValue("link", times.link)
          .addKeyValue("stream", times.stream)
          .addKeyValue("via", way.node())
          .addKeyValue("reason", dial.code().label())
          .addKeyValue("detail", dial.text())
          .log("a dial failed");
      dialFailed(dial, end);
    }
  }

  private void tell(StreamEnd.Cause cause, StreamEnd end) {
    if (meters.access().isOn()) {
      meters
          .access()
          .write(
              client
                  .passage(Passage.Kind.CONNECTION, way.node())
                  .with("link", times.link)
                  .with("stream", times.stream)
                  .with("bytesToService", end.toPeer())
                  .with("bytesToClient", end.fromPeer())
                  .with("cause", cause)
                  .step(Passage.Step.CHOOSE, client.takenAt(), times.openedAt)
                  .step(Passage.Step.DIAL, times.openedAt, times.connectedAt)
                  .step(Passage.Step.FIRST_BYTE, client.acceptedAt(), times.firstByteAt));
    }
  }

  private void dialFailed(DialStatus dial, StreamEnd end) {
    boolean ofAgent = way.failed(dial);
    if (reportsDials()) {
      if (ofAgent) {
        meters.dialFailed(dial.code());
      }
    } else {
      meters.dialSuspected();
      if (end.toPeer() > 0 || !client.early().isEmpty()) {
        // The service may have read what was sent, so nobody else may be told the same.
        client.connection().reset();
        badPeers.clientRefused(
            ClientRefusal.DIAL_FAILED,
            client.tunnel().identity(),
            client.connection().remoteAddress(),
            dial.text());
        tell(StreamEnd.Cause.DIAL_FAILED, end);
        return;
      }
    }
    client.owner().tell(new NotCarried(client.after(way, end.early()), dial));
  }
}
