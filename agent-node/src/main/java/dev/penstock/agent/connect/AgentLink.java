package dev.penstock.agent.connect;

import dev.penstock.agent.observe.AgentMeters;
import dev.penstock.agent.observe.Live;
import dev.penstock.agent.observe.YamuxMeters;
import dev.penstock.agent.serve.TargetFlow;
import dev.penstock.agent.serve.TargetStream;
import dev.penstock.live.LiveLink;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.Carrier;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.ControlMessage.GatewayHello;
import dev.penstock.protocol.control.ControlMessage.GatewayHelloAck;
import dev.penstock.protocol.control.ControlMessage.Heartbeat;
import dev.penstock.protocol.control.ControlMessage.HeartbeatAck;
import dev.penstock.protocol.control.ControlMessage.Ping;
import dev.penstock.protocol.control.ControlMessage.Pong;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.GatewayNode;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.Link;
import dev.penstock.protocol.link.LinkEnd;
import dev.penstock.protocol.link.LinkListener;
import dev.penstock.protocol.link.LinkSample;
import dev.penstock.protocol.link.LinkStage;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.net.Loop;
import dev.penstock.protocol.net.Tcp;
import dev.penstock.protocol.net.UpgradeRefused;
import dev.penstock.protocol.net.WebSocketConnection;
import dev.penstock.protocol.net.WebSocketMessage;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.stream.Materializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One link to a gateway, from its dial to its end. Runs on its loop; the streams of the link are
/// its children, and it stays until they have ended too.
///
/// ```
/// dialling --upgraded--> greeted --heartbeat answered--> up --end--> ended
///     \------------------failed------------------------------------^
/// ```
///
/// The gateway treats what it is told in order, so it has the link on its list when it answers the
/// heartbeat behind our answer to its hello. Before that a client would find no link there, and an
/// agent that called itself ready would be wrong.
public final class AgentLink {
  /// What this link can be told.
  public sealed interface Command {}

  /// The agent ends: close the link in order.
  public record GoAway() implements Command {}

  /// The agent needs this link no longer: have the gateway open nothing more on it, let what runs
  /// on it go on for the grace time at most, then close it.
  public record Retire(Duration grace) implements Command {}

  /// There is a link elsewhere, as the gateway wished.
  public record TellDrained() implements Command {}

  /// An operator wants it closed.
  private record CloseNow() implements Command {}

  private record Dialled(WebSocketConnection connection) implements Command {}

  private record NotDialled(Throwable why) implements Command {}

  private record Arrived(ControlMessage message) implements Command {}

  private record Requested(LinkStream stream, StreamHeader header) implements Command {}

  private record Ended(LinkEnd end) implements Command {}

  private record StreamGone() implements Command {}

  private record NoMoreStreams() implements Command {}

  private record GraceOver() implements Command {}

  private record Forgotten() implements Command {}

  private record Beat() implements Command {}

  private record NoHello() implements Command {}

  /// What a link tells its agent.
  public sealed interface Report {
    /// The link carries streams, and the gateway has it on its list.
    ///
    /// @param node where it leads, `""` when the gateway does not say
    record Up(long link, String node) implements Report {}

    /// The gateway says which nodes there are now.
    record Nodes(List<GatewayNode> nodes) implements Report {
      public Nodes {
        nodes = List.copyOf(nodes);
      }
    }

    /// The gateway wants this link elsewhere.
    record DrainAsked(long link) implements Report {}

    /// There never was a link.
    ///
    /// @param retryAfter how long the gateway wants to be left alone, zero when it did not say
    record Failed(long link, Duration retryAfter) implements Report {}

    /// The link carries nothing any more.
    record Lost(long link) implements Report {}
  }

  /// What a link is made of.
  ///
  /// @param number how the agent calls it
  /// @param url the gateway socket, with its query
  /// @param loop where the link must run
  public record Setup(
      Outbound outbound,
      TargetStream.Shared streams,
      TargetFlow.Shared flows,
      long number,
      URI url,
      String clusterId,
      Loop loop,
      ActorRef<Report> agent) {}

  private static final Logger log = LoggerFactory.getLogger(AgentLink.class);
  private static final Duration HEARTBEAT = Duration.ofSeconds(30);

  /// How long the gateway may take to say that it opens nothing more.
  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(2);

  /// For streams that end after their link.
  private static final Duration LINGER = Duration.ofSeconds(5);

  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final Setup setup;
  private final Outbound outbound;
  private final TargetStream.Shared streams;
  private final Materializer materializer;
  private @Nullable Link link;
  private Set<Capability> agreed = Set.of();

  /// Null before the gateway has said hello.
  private @Nullable Greeting greeting;

  /// The gateway has the link on its list.
  private boolean up;

  private boolean ended;
  private int running;
  private final AtomicLong rtt = new AtomicLong();
  private final AtomicInteger carried = new AtomicInteger();

  /// Read by who dials: nobody would take the connection.
  private volatile boolean stopped;

  /// Why this end wants no more of the link; null while it does.
  private @Nullable String leaving;

  /// The gateway opens nothing more.
  private boolean drained;

  /// When the heartbeat was sent that is not answered yet; 0 when there is none.
  private long beatSentAt;

  /// What the gateway's hello and our answer came to.
  ///
  /// @param node where the link leads, `""` when the gateway does not say
  private record Greeting(Carrier carrier, String node) {}

  private AgentLink(ActorContext<Command> context, TimerScheduler<Command> timers, Setup setup) {
    this.context = context;
    this.timers = timers;
    this.setup = setup;
    this.outbound = setup.outbound();
    this.streams = setup.streams();
    this.materializer = setup.loop().materializer(context);
  }

  /// A link that dials at once.
  public static Behavior<Command> create(Setup setup) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          var self = new AgentLink(context, timers, setup);
          self.dial();
          return Behaviors.receive(Command.class)
              .onAnyMessage(self::on)
              .onSignal(PostStop.class, _ -> self.stopped())
              .build();
        }));
  }

  private Behavior<Command> on(Command command) {
    switch (command) {
      case Dialled(var connection) -> dialled(connection);
      case NotDialled(var why) -> {
        log.atWarn()
            .addKeyValue("gateway", setup.url().getAuthority())
            .addKeyValue("cause", reason(why))
            .log("the gateway cannot be reached");
        setup.agent().tell(new Report.Failed(setup.number(), retryAfter(why)));
        return Behaviors.stopped();
      }
      case Arrived(var message) -> arrived(message);
      case Requested(var stream, var header) -> requested(stream, header);
      case StreamGone() -> {
        running--;
        carried.decrementAndGet();
        return whenNothingRuns();
      }
      case Beat() -> {
        if (link != null) {
          if (beatSentAt != 0) {
            streams.meters().heartbeats().unanswered();
          }
          beatSentAt = System.nanoTime();
          link.send(
              new Heartbeat(
                  setup.clusterId(),
                  outbound.settings().id(),
                  "healthy",
                  "connected",
                  outbound.version()));
        }
      }
      case NoHello() -> {
        if (link != null) {
          link.close(
              WebSocketMessage.Close.POLICY_VIOLATION,
              "no usable gateway_hello within "
                  + outbound.webSocket().handshakeTimeout().toMillis()
                  + " ms");
        }
      }
      case Ended(var end) -> {
        ended(end);
        timers.startSingleTimer(new Forgotten(), LINGER);
        return whenNothingRuns();
      }
      case CloseNow() -> {
        return leave("an operator closed it");
      }
      case GoAway() -> {
        return leave("the agent ends");
      }
      case Retire(var grace) -> {
        return retire(grace);
      }
      case TellDrained() -> {
        if (link != null) {
          link.send(new ControlMessage.Drained());
        }
      }
      case NoMoreStreams() -> {
        drained = true;
        return whenNothingRuns();
      }
      case GraceOver() -> {
        return leave("the grace time is over");
      }
      case Forgotten() -> {
        return Behaviors.stopped();
      }
    }
    return Behaviors.same();
  }

  private void requested(LinkStream stream, StreamHeader header) {
    if (header.isCanary() && agreed.contains(Capability.CANARY)) {
      stream.refuse(DialStatus.connected().encode());
      return;
    }
    var at = DispatcherSelector.fromConfig(setup.loop().dispatcher());
    switch (header.protocol()) {
      case TCP -> {
        running++;
        carried.incrementAndGet();
        context.watchWith(
            context.spawnAnonymous(
                TargetStream.create(streams, stream, header, agreed, materializer), at),
            new StreamGone());
      }
      // Nobody waits for the end of a flow when the link retires: it has none of its own, and its
      // next datagram takes another link.
      case UDP ->
          context.spawnAnonymous(TargetFlow.create(setup.flows(), stream, header, agreed), at);
    }
  }

  private void dial() {
    ActorRef<Command> self = context.getSelf();
    outbound
        .connect(setup.loop(), setup.url())
        .whenComplete((connection, failed) -> {
          if (failed != null) {
            self.tell(new NotDialled(failed));
          } else if (stopped) {
            connection.reset();
          } else {
            self.tell(new Dialled(connection));
          }
        });
  }

  /// Ends now, whatever runs.
  private Behavior<Command> leave(String why) {
    timers.cancelAll();
    leaving = why;
    if (link != null) {
      link.close(WebSocketMessage.Close.GOING_AWAY, why);
      return Behaviors.same();
    }
    return Behaviors.stopped();
  }

  private Behavior<Command> retire(Duration grace) {
    if (!up || link == null) {
      return leave("not needed any more");
    }
    leaving = "not needed any more";
    streams.meters().live().of(link).ifPresent(LiveLink::drains);
    timers.startSingleTimer(new GraceOver(), grace);
    if (agreed.contains(Capability.DRAIN)) {
      link.send(new ControlMessage.Drain());
      timers.startSingleTimer(new NoMoreStreams(), ANSWER_TIMEOUT);
      return Behaviors.same();
    }
    drained = true;
    return whenNothingRuns();
  }

  private Behavior<Command> whenNothingRuns() {
    if (running > 0) {
      return Behaviors.same();
    }
    if (ended) {
      return Behaviors.stopped();
    }
    return leaving != null && drained ? leave(leaving) : Behaviors.same();
  }

  private void dialled(WebSocketConnection connection) {
    link =
        LinkStage.run(
            connection,
            outbound.linkSettings(),
            outbound.budget(),
            new ToActor(context.getSelf(), streams.meters(), rtt),
            materializer);
    timers.startSingleTimer(new NoHello(), outbound.webSocket().handshakeTimeout());
  }

  private record ToActor(ActorRef<Command> actor, AgentMeters meters, AtomicLong rtt)
      implements LinkListener {
    @Override
    public void control(ControlMessage message) {
      actor.tell(new Arrived(message));
    }

    @Override
    public void requested(LinkStream stream, StreamHeader header) {
      actor.tell(new Requested(stream, header));
    }

    @Override
    public void refused(Refusal refusal) {
      if (refusal == Refusal.BAD_STREAM_HEADER || refusal == Refusal.STREAM_HEADER_TIMEOUT) {
        meters.yamux().failed(YamuxMeters.StreamError.HEADER_ERROR);
      }
      log.atWarn().addKeyValue("reason", refusal).log("refused a stream of the gateway");
    }

    @Override
    public void measured(LinkSample sample) {
      meters.links().measured(sample);
      if (sample.rttNanos() > 0) {
        rtt.setOpaque(sample.rttNanos());
      }
    }

    @Override
    public void ended(LinkEnd end) {
      actor.tell(new Ended(end));
    }
  }

  private void arrived(ControlMessage message) {
    if (link == null) {
      return;
    }
    switch (message) {
      case GatewayHello hello when greeting == null -> helloed(link, hello);
      case HeartbeatAck _ -> {
        taken(link);
        if (beatSentAt != 0) {
          streams.meters().heartbeats().answered(System.nanoTime() - beatSentAt);
          beatSentAt = 0;
        }
      }
      case Ping(String id, String timestamp) -> link.send(new Pong(id, timestamp));
      case ControlMessage.Nodes(var nodes) when agreed.contains(Capability.NODES) ->
          setup.agent().tell(new Report.Nodes(nodes));
      case ControlMessage.Drain() when greeting != null -> {
        taken(link);
        log.atInfo()
            .addKeyValue("gateway", setup.url().getAuthority())
            .log("the gateway asks for a link elsewhere");
        setup.agent().tell(new Report.DrainAsked(setup.number()));
      }
      case ControlMessage.Drained() when leaving != null ->
          context.getSelf().tell(new NoMoreStreams());
      case ControlMessage.ErrorMessage(var text) ->
          log.atWarn().addKeyValue("error", text).log("the gateway reported an error");
      default ->
          log.atDebug()
              .addKeyValue("message", message.getClass().getSimpleName())
              .log("ignored a message");
    }
  }

  private void helloed(Link running, GatewayHello hello) {
    var capabilities = outbound.capabilities();
    var carriers = outbound.settings().protocol();
    var ack = new GatewayHelloAck(hello.useYamux() && carriers.allows(Carrier.YAMUX), capabilities);
    timers.cancel(new NoHello());
    running.accept(ack);
    Carrier carrier = Carrier.agreed(hello, ack);
    if (carrier == null) {
      // The gateway closes the link with its reason; should it not, there is no use in waiting.
      log.atError()
          .addKeyValue("gateway", setup.url().getAuthority())
          .addKeyValue("tunnels.protocol", carriers.label())
          .addKeyValue("gatewayUses", (hello.useYamux() ? Carrier.YAMUX : Carrier.JSON).label())
          .log("no protocol in common with the gateway for tunnels");
      timers.startSingleTimer(new NoHello(), outbound.webSocket().handshakeTimeout());
      return;
    }
    agreed = Capability.common(capabilities, hello.capabilities());
    boolean tellsNodes = agreed.contains(Capability.NODES);
    greeting = new Greeting(carrier, tellsNodes ? hello.node() : "");
    show(running, greeting);
    if (tellsNodes) {
      setup.agent().tell(new Report.Nodes(hello.nodes()));
    }
    timers.startTimerWithFixedDelay(new Beat(), Duration.ZERO, HEARTBEAT);
  }

  /// The gateway has spoken on a link that it must have on its list to do so.
  private void taken(Link running) {
    if (up || greeting == null) {
      return;
    }
    up = true;
    streams.meters().linkUp();
    setup.agent().tell(new Report.Up(setup.number(), greeting.node()));
    log.atInfo()
        .addKeyValue("gateway", setup.url().getAuthority())
        .addKeyValue("link", running.number())
        .addKeyValue("node", greeting.node())
        .addKeyValue("protocol", greeting.carrier().label())
        .log("a link is up");
  }

  private void show(Link carrying, Greeting greeted) {
    Live live = streams.meters().live();
    ActorRef<Command> self = context.getSelf();
    live.linkUp(
        carrying,
        new LiveLink(
            live.nextId("l"),
            new LiveLink.Facts(
                greeted.node(),
                setup.url().getAuthority(),
                greeted.carrier().label(),
                agreed.stream().sorted().map(Capability::wireName).toList(),
                setup.loop().index()),
            carried::get,
            rtt::getOpaque,
            () -> self.tell(new CloseNow())));
  }

  private void ended(LinkEnd end) {
    long number = link == null ? 0 : link.number();
    if (link != null) {
      streams
          .meters()
          .live()
          .linkDown(link, end.cause().name().toLowerCase(Locale.ROOT), end.detail());
    }
    link = null;
    ended = true;
    timers.cancelAll();
    if (beatSentAt != 0) {
      beatSentAt = 0;
      streams.meters().heartbeats().unanswered();
    }
    if (up) {
      streams.meters().linkEnded(end.cause());
      if (leaving == null) {
        streams.meters().reconnecting();
      }
      setup.agent().tell(new Report.Lost(setup.number()));
    } else {
      setup.agent().tell(new Report.Failed(setup.number(), Duration.ZERO));
    }
    if (leaving != null) {
      log.atInfo()
          .addKeyValue("gateway", setup.url().getAuthority())
          .addKeyValue("link", number)
          .addKeyValue("cause", leaving)
          .log("a link was closed");
      return;
    }
    log.atWarn()
        .addKeyValue("gateway", setup.url().getAuthority())
        .addKeyValue("link", number)
        .addKeyValue("cause", end.cause())
        .addKeyValue("detail", end.detail())
        .log("a link ended");
  }

  private Behavior<Command> stopped() {
    stopped = true;
    if (up && !ended) {
      // By a fault of ours: the end of the link would have been told before.
      streams.meters().linkEnded(LinkEnd.Cause.CLOSED);
    }
    if (link != null) {
      streams.meters().live().linkDown(link, "closed", "the agent ends");
      link.close(WebSocketMessage.Close.GOING_AWAY, "the agent ends");
    }
    return Behaviors.same();
  }

  /// What the gateway asked for when it refused an upgrade, zero when it did not.
  static Duration retryAfter(Throwable failed) {
    return Tcp.causeOf(failed) instanceof UpgradeRefused refused
        ? refused.retryAfter()
        : Duration.ZERO;
  }

  /// What went wrong with a dial, for people.
  static String reason(Throwable failed) {
    Throwable cause = Tcp.causeOf(failed);
    return cause instanceof UpgradeRefused refused
        ? String.valueOf(refused.getMessage())
        : String.valueOf(Tcp.failureOf(cause).getMessage());
  }
}
