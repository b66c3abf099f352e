package dev.penstock.agent.connect;

import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.ControlMessage.Register;
import dev.penstock.protocol.control.ControlMessage.RegisterSuccess;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.Link;
import dev.penstock.protocol.link.LinkEnd;
import dev.penstock.protocol.link.LinkListener;
import dev.penstock.protocol.link.LinkStage;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.net.Loop;
import dev.penstock.protocol.net.Tcp;
import dev.penstock.protocol.net.UpgradeRefused;
import dev.penstock.protocol.net.WebSocketConnection;
import dev.penstock.protocol.net.WebSocketMessage;
import java.net.URI;
import java.net.URISyntaxException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.stream.Materializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Registers the agent on the controller socket, as often as it takes, then ends. Runs on its loop.
public final class Registrar {
  /// What this actor is told.
  public sealed interface Command {}

  private record Dial() implements Command {}

  private record Dialled(WebSocketConnection connection) implements Command {}

  private record NotDialled(Throwable why) implements Command {}

  private record Arrived(ControlMessage message) implements Command {}

  private record Ended(LinkEnd end) implements Command {}

  private record NoAnswer() implements Command {}

  /// How it went.
  public sealed interface Result {
    /// The gateway knows the agent.
    ///
    /// @param gatewayUrls where to link to: what the gateway named and, where that is the address
    ///   that was called, the same at its other addresses; at least one
    record Registered(String clusterId, List<URI> gatewayUrls) implements Result {
      public Registered {
        gatewayUrls = List.copyOf(gatewayUrls);
      }
    }

    /// The gateway refused the token: trying again will not help.
    record Refused(String why) implements Result {}
  }

  private static final Logger log = LoggerFactory.getLogger(Registrar.class);
  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(30);
  private static final Backoff BACKOFF = Backoff.standard();
  private static final String PATH = "/api/v1/clusters/agent/ws";

  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final Outbound outbound;
  private final Loop loop;
  private final Materializer materializer;
  private final ActorRef<Result> replyTo;
  private final long startedAt = System.nanoTime();
  private URI api;
  private @Nullable Link link;

  private Registrar(
      ActorContext<Command> context,
      TimerScheduler<Command> timers,
      Outbound outbound,
      Loop loop,
      Materializer materializer,
      ActorRef<Result> replyTo) {
    this.context = context;
    this.timers = timers;
    this.outbound = outbound;
    this.loop = loop;
    this.materializer = materializer;
    this.replyTo = replyTo;
    this.api = outbound.api().current();
  }

  /// A registrar that dials at once.
  ///
  /// @param loop where the actor must run
  /// @param replyTo gets one result
  public static Behavior<Command> create(
      Outbound outbound, Loop loop, Materializer materializer, ActorRef<Result> replyTo) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          var self = new Registrar(context, timers, outbound, loop, materializer, replyTo);
          self.dial();
          return Behaviors.receiveMessage(self::on);
        }));
  }

  private Behavior<Command> on(Command command) {
    return switch (command) {
      case Dial() -> {
        dial();
        yield Behaviors.same();
      }
      case Dialled(var connection) -> {
        register(connection);
        yield Behaviors.same();
      }
      case NotDialled(var why) -> notDialled(why);
      case Arrived(RegisterSuccess success) -> registered(success);
      case Arrived(ControlMessage.ErrorMessage(var text)) -> {
        log.atWarn().addKeyValue("error", text).log("the gateway reported an error");
        yield Behaviors.same();
      }
      case Arrived _ -> Behaviors.same();
      case NoAnswer() -> {
        if (link != null) {
          link.close(WebSocketMessage.Close.NORMAL, "no answer to register");
        }
        yield Behaviors.same();
      }
      case Ended(var end) -> {
        log.atWarn()
            .addKeyValue("cause", end.cause())
            .addKeyValue("detail", end.detail())
            .log("registration failed");
        waitAndDial(Duration.ZERO);
        yield Behaviors.same();
      }
    };
  }

  private void dial() {
    api = outbound.api().current();
    ActorRef<Command> self = context.getSelf();
    outbound
        .connect(loop, controllerUrl())
        .whenComplete((connection, failed) ->
            self.tell(failed == null ? new Dialled(connection) : new NotDialled(failed)));
  }

  private URI controllerUrl() {
    String scheme = "https".equals(api.getScheme()) ? "wss" : "ws";
    return URI.create(scheme + "://" + api.getRawAuthority() + PATH);
  }

  private void register(WebSocketConnection connection) {
    link =
        LinkStage.run(
            connection,
            outbound.linkSettings(),
            outbound.budget(),
            new ToActor(context.getSelf()),
            materializer);
    var settings = outbound.settings();
    String name = settings.clusterName() == null ? settings.id() : settings.clusterName();
    link.send(
        new Register(
            "req_" + UUID.randomUUID(),
            settings.id(),
            name,
            outbound.version(),
            name,
            Map.of(),
            Map.of(),
            Set.of(Register.NAMES_CAPABILITIES),
            ""));
    timers.startSingleTimer(new NoAnswer(), ANSWER_TIMEOUT);
  }

  private record ToActor(ActorRef<Command> actor) implements LinkListener {
    @Override
    public void control(ControlMessage message) {
      actor.tell(new Arrived(message));
    }

    @Override
    public void requested(LinkStream stream, StreamHeader header) {
      stream.reset();
    }

    @Override
    public void refused(Refusal refusal) {}

    @Override
    public void ended(LinkEnd end) {
      actor.tell(new Ended(end));
    }
  }

  private Behavior<Command> registered(RegisterSuccess success) {
    if (link != null) {
      link.close(WebSocketMessage.Close.NORMAL, "registered");
    }
    URI gatewayUrl = usable(success.gatewayWsUrl());
    if (gatewayUrl == null) {
      log.atError()
          .addKeyValue("gatewayWsUrl", success.gatewayWsUrl())
          .log("the gateway names no gateway_ws_url that this agent can link to");
      waitAndDial(Duration.ZERO);
      return Behaviors.same();
    }
    replyTo.tell(new Result.Registered(success.clusterId(), addresses(gatewayUrl)));
    return Behaviors.stopped();
  }

  private List<URI> addresses(URI named) {
    if (!named.getAuthority().equals(api.getAuthority())) {
      return List.of(named);
    }
    return outbound.api().all().stream()
        .map(other ->
            URI.create(
                ("https".equals(other.getScheme()) ? "wss" : "ws")
                    + "://"
                    + other.getRawAuthority()
                    + named.getRawPath()
                    + (named.getRawQuery() == null ? "" : "?" + named.getRawQuery())))
        .distinct()
        .toList();
  }

  /// Null unless it is a ws URL or, where the API has TLS too, a wss one.
  private @Nullable URI usable(@Nullable String url) {
    if (url == null) {
      return null;
    }
    try {
      var uri = new URI(url);
      boolean spoken =
          "ws".equals(uri.getScheme()) || ("wss".equals(uri.getScheme()) && outbound.tls() != null);
      return spoken && uri.getHost() != null ? uri : null;
    } catch (URISyntaxException _) {
      return null;
    }
  }

  private Behavior<Command> notDialled(Throwable why) {
    Throwable cause = Tcp.causeOf(why);
    if (cause instanceof UpgradeRefused refused
        && (refused.status() == 401 || refused.status() == 403)) {
      replyTo.tell(new Result.Refused(String.valueOf(refused.getMessage())));
      return Behaviors.stopped();
    }
    log.atWarn()
        .addKeyValue("gateway", controllerUrl().getAuthority())
        .addKeyValue("cause", AgentLink.reason(why))
        .log("the gateway cannot be reached");
    waitAndDial(AgentLink.retryAfter(cause));
    return Behaviors.same();
  }

  private void waitAndDial(Duration retryAfter) {
    link = null;
    outbound.api().failed(api);
    timers.cancel(new NoAnswer());
    var outage = Duration.ofNanos(System.nanoTime() - startedAt);
    timers.startSingleTimer(
        new Dial(), BACKOFF.delay(outage, retryAfter, ThreadLocalRandom.current()));
  }
}
