package dev.penstock.agent.serve;

import dev.penstock.agent.observe.AgentMeters;
import dev.penstock.agent.observe.YamuxMeters;
import dev.penstock.config.HostPort;
import dev.penstock.live.LiveStream;
import dev.penstock.node.Admission;
import dev.penstock.observe.Passage;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.ByteCount;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.link.StreamEnd;
import dev.penstock.protocol.link.StreamObserver;
import dev.penstock.protocol.net.DialFailure;
import dev.penstock.protocol.net.EventLoops;
import dev.penstock.protocol.net.Tcp;
import dev.penstock.protocol.net.TcpConnection;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.stream.Materializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One stream that the gateway opened, joined with a connection to its service: its life, not its
/// bytes. Runs on the link's loop. A service that cannot be reached is an error on this stream and
/// nothing else.
public final class TargetStream {
  /// What this stream is told.
  public sealed interface Command {}

  private record Dialled(TcpConnection connection) implements Command {}

  private record NotDialled(DialFailure why) implements Command {}

  private record Idle() implements Command {}

  private record TunnelGone() implements Command {}

  /// An operator wants it closed.
  private record CloseNow() implements Command {}

  private record Ended(StreamEnd end) implements Command {}

  /// What the streams of one agent share.
  public record Shared(EventLoops loops, Targets targets, AgentMeters meters) {}

  private static final Logger log = LoggerFactory.getLogger(TargetStream.class);

  /// Endpoints that are tried for one connection.
  private static final int MAX_ENDPOINTS = 3;

  private final ActorContext<Command> context;
  private final Shared shared;
  private final LinkStream stream;
  private final StreamHeader header;
  private final Set<Capability> agreed;
  private final Materializer materializer;
  private final long startedAt = System.nanoTime();
  private @Nullable TcpConnection connection;
  private boolean idle;
  private boolean gone;
  private boolean operated;
  private final Telling telling;
  private @Nullable LiveStream live;
  private @Nullable String service;
  private final Moments moments = new Moments();

  /// Where to go, the endpoints tried so far in front.
  private List<HostPort> endpoints = List.of();

  private int tried;

  /// A place among the connections, given back once whoever comes first.
  private static final class Place {
    private final Admission connections;
    private final AtomicBoolean held = new AtomicBoolean(true);

    Place(Admission connections) {
      this.connections = connections;
    }

    void leave() {
      if (held.getAndSet(false)) {
        connections.leave();
      }
    }
  }

  private TargetStream(
      ActorContext<Command> context,
      Shared shared,
      LinkStream stream,
      StreamHeader header,
      Set<Capability> agreed,
      Materializer materializer) {
    this.context = context;
    this.shared = shared;
    this.stream = stream;
    this.header = header;
    this.agreed = agreed;
    this.materializer = materializer;
    this.telling = new Telling(shared.meters(), stream, header, Passage.Kind.CONNECTION, startedAt);
  }

  /// A stream that dials its service at once.
  ///
  /// @param agreed the extensions that both ends of the link named
  public static Behavior<Command> create(
      Shared shared,
      LinkStream stream,
      StreamHeader header,
      Set<Capability> agreed,
      Materializer materializer) {
    return Behaviors.setup(
        context -> new TargetStream(context, shared, stream, header, agreed, materializer).dial());
  }

  private Behavior<Command> dial() {
    shared.meters().yamux().opened();
    Optional<Target> found = shared.targets().of(Protocol.TCP, header.tunnelId());
    if (found.isEmpty() || header.protocol() != Protocol.TCP) {
      return refused(
          new DialStatus(
              DialStatus.Code.UNKNOWN_TUNNEL,
              "this agent has no tunnel "
                  + header.tunnelId()
                  + " for "
                  + header.protocol().label()));
    }
    Target target = found.get();
    ActorRef<Command> self = context.getSelf();
    live = telling.show(() -> self.tell(new CloseNow()));
    service = target.exposure().name();
    if (!target.connections().enter()) {
      return refused(
          new DialStatus(
              DialStatus.Code.OVER_LIMIT,
              "connections of this agent to "
                  + target.exposure().name()
                  + ": "
                  + target.connections().limit()
                  + " are open (expected: at most tunnels.tcp.max_connections)"));
    }
    switch (target.exposure().backends().choose(header.caller())) {
      case Backends.Choice.Endpoints(var inOrder) -> endpoints = inOrder;
      case Backends.Choice.Nowhere(var why) -> {
        target.connections().leave();
        return refused(new DialStatus(DialStatus.Code.REFUSED, why));
      }
    }
    Runnable stop = () -> self.tell(new TunnelGone());
    target.streams().joined(stop);
    var place = new Place(target.connections());
    dialNext(target, place);
    return Behaviors.receive(Command.class)
        .onAnyMessage(command -> on(command, target, place))
        .onSignal(
            PostStop.class,
            _ -> {
              telling.hide();
              target.streams().left(stop);
              if (connection == null) {
                place.leave();
              }
              return Behaviors.same();
            })
        .build();
  }

  /// Gives the next endpoint its share of the time that is left.
  private void dialNext(Target target, Place place) {
    ActorRef<Command> self = context.getSelf();
    HostPort endpoint = endpoints.get(tried);
    int left = Math.min(endpoints.size(), MAX_ENDPOINTS) - tried;
    tried++;
    Tcp.connect(
            shared.loops(),
            stream.link().loop(),
            endpoint.host(),
            endpoint.port(),
            timeLeft(target).dividedBy(left),
            target.options())
        .whenComplete((connection, failed) -> {
          if (failed == null) {
            connection.onClosed(place::leave);
            self.tell(new Dialled(connection));
          } else {
            self.tell(new NotDialled(Tcp.failureOf(failed)));
          }
        });
  }

  private Duration timeLeft(Target target) {
    return target.exposure().tcp().connectionTimeout().minusNanos(System.nanoTime() - startedAt);
  }

  private boolean mayTryAnother(Target target) {
    return !gone
        && tried < Math.min(endpoints.size(), MAX_ENDPOINTS)
        && timeLeft(target).isPositive();
  }

  private Behavior<Command> on(Command command, Target target, Place place) {
    Exposure service = target.exposure();
    return switch (command) {
      case Dialled(var dialled) -> {
        connection = dialled;
        if (live != null) {
          live.reached(endpoints.get(tried - 1).toString());
        }
        moments.dialledAt = System.nanoTime();
        watch(dialled, service.tcp().idleTimeout());
        // Nothing of the client's may come before it.
        service.proxyProtocol().ofConnection(header.caller()).ifPresent(dialled::writeFirst);
        carry(dialled);
        if (gone) {
          dialled.reset();
        }
        yield Behaviors.same();
      }
      case NotDialled(var why) -> {
        if (mayTryAnother(target)) {
          shared.meters().endpointFailed();
          dialNext(target, place);
          yield Behaviors.same();
        }
        place.leave();
        yield refused(new DialStatus(codeOf(why.kind()), String.valueOf(why.getMessage())));
      }
      case TunnelGone() -> {
        gone = true;
        if (connection != null) {
          connection.reset();
        }
        yield Behaviors.same();
      }
      case CloseNow() -> {
        operated = true;
        gone = true;
        if (connection != null) {
          connection.reset();
        }
        yield Behaviors.same();
      }
      case Idle() -> {
        idle = true;
        if (connection != null) {
          connection.reset();
        }
        yield Behaviors.same();
      }
      case Ended(var end) -> {
        var cause = operated ? StreamEnd.Cause.OPERATOR : idle ? StreamEnd.Cause.IDLE : end.cause();
        long lasted = System.nanoTime() - startedAt;
        shared.meters().streamEnded(cause, lasted);
        shared.meters().yamux().ended(lasted);
        telling.ended(way(), end, cause, moments.dialledAt, moments.firstByteAt);
        yield Behaviors.stopped();
      }
    };
  }

  /// Only the socket is watched: what its service and its client say to each other goes over it.
  private void watch(TcpConnection connection, Duration idleTimeout) {
    if (!idleTimeout.isZero()) {
      ActorRef<Command> self = context.getSelf();
      connection.onIdle(idleTimeout, () -> self.tell(new Idle()));
    }
  }

  private void carry(TcpConnection connection) {
    shared.meters().dialled(System.nanoTime() - startedAt);
    shared.meters().streamStarted();
    List<ByteBuffer> first =
        agreed.contains(Capability.DIAL_STATUS)
            ? List.of(DialStatus.connected().encode())
            : List.of();
    connection
        .lendingFlow()
        .join(
            stream.flow(
                LinkStream.DialReport.NONE,
                first,
                shared.meters().traffic(),
                new ToActor(context.getSelf(), startedAt, shared.meters(), live, moments)))
        .withAttributes(stream.link().loop().attributes())
        .run(materializer);
  }

  /// What the access log wants to know; belongs to the loop. Moments that never came are 0.
  private static final class Moments {
    long dialledAt;
    long firstByteAt;
  }

  private record ToActor(
      ActorRef<Command> actor,
      long startedAt,
      AgentMeters meters,
      @Nullable LiveStream live,
      Moments moments)
      implements StreamObserver {
    @Override
    public ByteCount count() {
      return live == null ? new ByteCount() : live.count();
    }

    @Override
    public void connected() {}

    @Override
    public void firstSent() {
      moments.firstByteAt = System.nanoTime();
      meters.firstByte(moments.firstByteAt - startedAt);
    }

    @Override
    public void ended(StreamEnd end) {
      actor.tell(new Ended(end));
    }
  }

  private Telling.Way way() {
    return new Telling.Way(service, tried == 0 ? null : endpoints.get(tried - 1), tried);
  }

  private Behavior<Command> refused(DialStatus status) {
    telling.refused(way(), status);
    shared.meters().dialFailed(status.code());
    shared.meters().yamux().failed(YamuxMeters.StreamError.DIAL_ERROR);
    shared.meters().yamux().ended(System.nanoTime() - startedAt);
    log.atInfo()
        .addKeyValue("tunnel", header.tunnelId())
        .addKeyValue("link", stream.link().number())
        .addKeyValue("stream", stream.number())
        .addKeyValue("reason", status.code().label())
        .addKeyValue("detail", status.text())
        .log("a service could not be reached");
    if (agreed.contains(Capability.DIAL_STATUS)) {
      stream.refuse(status.encode());
    } else {
      stream.reset();
    }
    return Behaviors.stopped();
  }

  static DialStatus.Code codeOf(DialFailure.Kind kind) {
    return switch (kind) {
      case REFUSED -> DialStatus.Code.REFUSED;
      case TIMED_OUT -> DialStatus.Code.TIMED_OUT;
      case UNREACHABLE -> DialStatus.Code.UNREACHABLE;
      case NAME_NOT_RESOLVED -> DialStatus.Code.NAME_NOT_RESOLVED;
      case FAILED -> DialStatus.Code.FAILED;
    };
  }
}
