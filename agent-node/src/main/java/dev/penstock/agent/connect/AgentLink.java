package dev.penstock.agent.connect;

import dev.penstock.agent.observe.AgentMeters;
import dev.penstock.agent.observe.YamuxMeters;
import dev.penstock.agent.serve.TargetFlow;
import dev.penstock.agent.serve.TargetStream;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.Carrier;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.ControlMessage.GatewayHello;
import dev.penstock.protocol.control.ControlMessage.GatewayHelloAck;
import dev.penstock.protocol.control.ControlMessage.Heartbeat;
import dev.penstock.protocol.control.ControlMessage.HeartbeatAck;
import dev.penstock.protocol.control.ControlMessage.Ping;
import dev.penstock.protocol.control.ControlMessage.Pong;
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
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.stream.Materializer;
import org.apache.pekko.stream.javadsl.Keep;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Keeps one link to a gateway: dials, serves, waits with back-off, dials again, for ever. Runs on
/// its loop; the streams of the link are its children.
///
/// ```
/// dialling --- up ---> linked --- end ---> waiting --- time ---> dialling
///     \--- failed ---------------------------^
/// ```
public final class AgentLink {
  /// What this link can be told.
  public sealed interface Command {}

  /// Another link of this agent has just come up: do not wait any longer.
  public record TryNow() implements Command {}

  /// The agent ends: close the link in order.
  public record GoAway() implements Command {}

  private record Dialled(WebSocketConnection connection) implements Command {}

  private record NotDialled(Throwable why) implements Command {}

  private record Arrived(ControlMessage message) implements Command {}

  private record Requested(LinkStream stream, StreamHeader header) implements Command {}

  private record Ended(LinkEnd end) implements Command {}

  private record Dial() implements Command {}

  private record Beat() implements Command {}

  private record NoHello() implements Command {}

  /// What a link tells its agent.
  public sealed interface Report {
    /// The link carries streams.
    record Up() implements Report {}

    /// The link carries none any more.
    record Down() implements Report {}
  }

  private static final Logger log = LoggerFactory.getLogger(AgentLink.class);
  private static final Duration STABLE = Duration.ofSeconds(5);
  private static final Duration HEARTBEAT = Duration.ofSeconds(30);
  private static final Backoff BACKOFF = Backoff.standard();

  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final Outbound outbound;
  private final TargetStream.Shared streams;
  private final TargetFlow.Shared flows;
  private final URI url;
  private final String clusterId;
  private final Loop loop;
  private final ActorRef<Report> agent;
  private final Materializer materializer;
  private @Nullable Link link;
  private Set<Capability> agreed = Set.of();
  private boolean up;
  private boolean leaving;

  /// When the heartbeat was sent that is not answered yet; 0 when there is none.
  private long beatSentAt;

  private long upSince = System.nanoTime() - STABLE.toNanos();
  private long downSince = System.nanoTime();

  private AgentLink(
      ActorContext<Command> context,
      TimerScheduler<Command> timers,
      Outbound outbound,
      TargetStream.Shared streams,
      TargetFlow.Shared flows,
      URI url,
      String clusterId,
      Loop loop,
      ActorRef<Report> agent) {
    this.context = context;
    this.timers = timers;
    this.outbound = outbound;
    this.streams = streams;
    this.flows = flows;
    this.url = url;
    this.clusterId = clusterId;
    this.loop = loop;
    this.agent = agent;
    this.materializer = loop.materializer(context);
  }

  /// A link that dials at once.
  ///
  /// @param url the gateway socket, with its query
  /// @param loop where the link must run
  public static Behavior<Command> create(
      Outbound outbound,
      TargetStream.Shared streams,
      TargetFlow.Shared flows,
      URI url,
      String clusterId,
      Loop loop,
      ActorRef<Report> agent) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          var self =
              new AgentLink(context, timers, outbound, streams, flows, url, clusterId, loop, agent);
          self.dial();
          return Behaviors.receive(Command.class)
              .onAnyMessage(self::on)
              .onSignal(PostStop.class, _ -> self.stopped())
              .build();
        }));
  }

  private Behavior<Command> on(Command command) {
    switch (command) {
      case Dial() -> dial();
      case TryNow() -> {
        if (timers.isTimerActive(new Dial()) && System.nanoTime() - upSince > STABLE.toNanos()) {
          timers.startSingleTimer(
              new Dial(), Duration.ofMillis(ThreadLocalRandom.current().nextInt(100)));
        }
      }
      case Dialled(var connection) -> dialled(connection);
      case NotDialled(var why) -> {
        log.atWarn()
            .addKeyValue("gateway", url.getAuthority())
            .addKeyValue("cause", reason(why))
            .log("the gateway cannot be reached");
        waitAndDial();
      }
      case Arrived(var message) -> arrived(message);
      case Requested(var stream, var header) -> {
        var at = DispatcherSelector.fromConfig(loop.dispatcher());
        switch (header.protocol()) {
          case TCP ->
              context.spawnAnonymous(
                  TargetStream.create(streams, stream, header, agreed, materializer), at);
          case UDP -> context.spawnAnonymous(TargetFlow.create(flows, stream, header, agreed), at);
        }
      }
      case Beat() -> {
        if (link != null) {
          if (beatSentAt != 0) {
            streams.meters().heartbeats().unanswered();
          }
          beatSentAt = System.nanoTime();
          link.send(
              new Heartbeat(
                  clusterId, outbound.settings().id(), "healthy", "connected", outbound.version()));
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
        if (leaving) {
          return Behaviors.stopped();
        }
        waitAndDial();
      }
      case GoAway() -> {
        timers.cancelAll();
        if (link == null) {
          return Behaviors.stopped();
        }
        leaving = true;
        link.close(WebSocketMessage.Close.GOING_AWAY, "the agent ends");
      }
    }
    return Behaviors.same();
  }

  private void dial() {
    ActorRef<Command> self = context.getSelf();
    outbound
        .connect(loop, url)
        .whenComplete((connection, failed) ->
            self.tell(failed == null ? new Dialled(connection) : new NotDialled(failed)));
  }

  private void waitAndDial() {
    var outage = Duration.ofNanos(System.nanoTime() - downSince);
    timers.startSingleTimer(
        new Dial(), BACKOFF.delay(outage, Duration.ZERO, ThreadLocalRandom.current()));
  }

  private void dialled(WebSocketConnection connection) {
    var stage =
        new LinkStage(
            loop,
            outbound.linkSettings(),
            outbound.budget(),
            new ToActor(context.getSelf(), streams.meters()));
    link =
        connection
            .flow()
            .joinMat(stage, Keep.right())
            .withAttributes(loop.attributes())
            .run(materializer);
    timers.startSingleTimer(new NoHello(), outbound.webSocket().handshakeTimeout());
  }

  private record ToActor(ActorRef<Command> actor, AgentMeters meters) implements LinkListener {
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
      case GatewayHello hello when !up -> helloed(link, hello);
      case HeartbeatAck _ -> {
        if (beatSentAt != 0) {
          streams.meters().heartbeats().answered(System.nanoTime() - beatSentAt);
          beatSentAt = 0;
        }
      }
      case Ping(String id, String timestamp) -> link.send(new Pong(id, timestamp));
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
          .addKeyValue("gateway", url.getAuthority())
          .addKeyValue("tunnels.protocol", carriers.label())
          .addKeyValue("gatewayUses", (hello.useYamux() ? Carrier.YAMUX : Carrier.JSON).label())
          .log("no protocol in common with the gateway for tunnels");
      timers.startSingleTimer(new NoHello(), outbound.webSocket().handshakeTimeout());
      return;
    }
    agreed = Capability.common(capabilities, hello.capabilities());
    up = true;
    upSince = System.nanoTime();
    streams.meters().linkUp();
    timers.startTimerWithFixedDelay(new Beat(), Duration.ZERO, HEARTBEAT);
    agent.tell(new Report.Up());
    log.atInfo()
        .addKeyValue("gateway", url.getAuthority())
        .addKeyValue("protocol", carrier.label())
        .log("a link is up");
  }

  private void ended(LinkEnd end) {
    link = null;
    timers.cancel(new Beat());
    if (beatSentAt != 0) {
      beatSentAt = 0;
      streams.meters().heartbeats().unanswered();
    }
    timers.cancel(new NoHello());
    if (up) {
      up = false;
      // A link that falls as soon as it is up goes on with the outage it was in, else both ends
      // would spin.
      if (System.nanoTime() - upSince > STABLE.toNanos()) {
        downSince = System.nanoTime();
      }
      streams.meters().linkEnded(end.cause());
      streams.meters().reconnecting();
      agent.tell(new Report.Down());
    }
    log.atWarn()
        .addKeyValue("gateway", url.getAuthority())
        .addKeyValue("cause", end.cause())
        .addKeyValue("detail", end.detail())
        .log("a link ended");
  }

  private Behavior<Command> stopped() {
    if (up) {
      // By a fault, else it would be down already.
      agent.tell(new Report.Down());
      streams.meters().linkEnded(LinkEnd.Cause.CLOSED);
    }
    if (link != null) {
      link.close(WebSocketMessage.Close.GOING_AWAY, "the agent ends");
    }
    return Behaviors.same();
  }

  /// What went wrong with a dial, for people.
  static String reason(Throwable failed) {
    Throwable cause = Tcp.causeOf(failed);
    return cause instanceof UpgradeRefused refused
        ? String.valueOf(refused.getMessage())
        : String.valueOf(Tcp.failureOf(cause).getMessage());
  }
}
