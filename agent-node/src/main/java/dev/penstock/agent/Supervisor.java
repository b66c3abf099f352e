package dev.penstock.agent;

import dev.penstock.agent.connect.AgentLink;
import dev.penstock.agent.connect.Backoff;
import dev.penstock.agent.connect.Outbound;
import dev.penstock.agent.connect.Registrar;
import dev.penstock.agent.connect.Spread;
import dev.penstock.agent.connect.TunnelClient;
import dev.penstock.agent.observe.AgentMeters;
import dev.penstock.agent.observe.HeartbeatMeters;
import dev.penstock.agent.serve.Target;
import dev.penstock.agent.serve.TargetFlow;
import dev.penstock.agent.serve.TargetStream;
import dev.penstock.agent.serve.Targets;
import dev.penstock.agent.settings.ServiceSettings;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.Carrier;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.TunnelRegistered;
import dev.penstock.protocol.net.Loop;
import dev.penstock.protocol.net.Tcp;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.stream.SystemMaterializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The parent of everything in an agent: registers it, keeps its links as [Spread] decides,
/// registers its tunnels, knows whether it is ready. A gateway that was away for a moment is told
/// of the tunnels again: it may have been another one.
final class Supervisor {
  /// What this actor is told.
  sealed interface Command {}

  /// The agent ends: close all links in order.
  record End(ActorRef<Ended> replyTo) implements Command {}

  /// The agent is to end: let what runs on the links go on for the grace time, take nothing new.
  record Drain(ActorRef<Ended> replyTo) implements Command {}

  /// All links are closed; what the gateway is to read is on its way.
  record Ended() {}

  private record Registered(Registrar.Result result) implements Command {}

  private record Reported(AgentLink.Report report) implements Command {}

  private record TunnelAnswered(ServiceSettings service, long round, TunnelRegistered answer)
      implements Command {}

  private record TunnelRefused(ServiceSettings service, long round, Throwable why)
      implements Command {}

  private record LinkGone(long link) implements Command {}

  private record Due() implements Command {}

  private record RegisterTunnel(ServiceSettings service, long round) implements Command {}

  private static final Logger log = LoggerFactory.getLogger(Supervisor.class);
  private static final Backoff BACKOFF = Backoff.standard();

  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final Outbound outbound;
  private final AgentMeters meters;
  private final Agent.Announcements announcements;
  private final Consumer<List<String>> notReady;
  private final TunnelClient client;
  private final Map<Long, ActorRef<AgentLink.Command>> links = new HashMap<>();
  private final Map<ServiceSettings, TunnelRegistered> confirmed = new HashMap<>();
  private final Map<ServiceSettings, String> announced = new HashMap<>();
  private String clusterId = "";
  private @Nullable Linking linking;
  private final List<ActorRef<Ended>> ending = new ArrayList<>();
  private final Set<Long> linksUp = new HashSet<>();

  /// Counts outages: answers to registrations of an earlier round come too late to count.
  private long round;

  /// What is known once the agent is registered.
  private record Linking(
      Spread spread,
      TargetStream.Shared streams,
      TargetFlow.Shared flows,
      ActorRef<AgentLink.Report> reports) {}

  private long roundStartedAt = System.nanoTime();

  private Supervisor(
      ActorContext<Command> context,
      TimerScheduler<Command> timers,
      Outbound outbound,
      AgentMeters meters,
      Agent.Announcements announcements,
      Consumer<List<String>> notReady) {
    this.context = context;
    this.timers = timers;
    this.outbound = outbound;
    this.meters = meters;
    this.announcements = announcements;
    this.notReady = notReady;
    this.client = new TunnelClient(outbound);
  }

  /// An agent that registers at once.
  ///
  /// @param notReady gets the reasons why the agent is not ready, whenever they change
  static Behavior<Command> create(
      Outbound outbound,
      AgentMeters meters,
      Agent.Announcements announcements,
      Consumer<List<String>> notReady) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          var self = new Supervisor(context, timers, outbound, meters, announcements, notReady);
          self.register();
          self.announce();
          return Behaviors.receiveMessage(self::on);
        }));
  }

  private void register() {
    meters.heartbeats().state(HeartbeatMeters.State.CONNECTING);
    Loop loop = outbound.loops().get(0);
    context.spawnAnonymous(
        Registrar.create(
            outbound,
            loop,
            SystemMaterializer.get(context.getSystem()).materializer(),
            context.messageAdapter(Registrar.Result.class, Registered::new)),
        DispatcherSelector.fromConfig(loop.dispatcher()));
  }

  private Behavior<Command> on(Command command) {
    switch (command) {
      case Registered(Registrar.Result.Registered(var id, var gatewayUrls)) -> {
        clusterId = id;
        log.atInfo().addKeyValue("cluster", id).log("registered at the gateway");
        linking = linking(gatewayUrls);
        registerTunnels();
      }
      case Registered(Registrar.Result.Refused(var why)) -> announcements.refused().accept(why);
      case Reported(var report) -> {
        if (linking != null) {
          reported(linking.spread(), report);
        }
      }
      case Due() -> {
        // What follows is done below.
      }
      case RegisterTunnel(var service, long of) -> {
        if (of == round) {
          registerTunnel(service);
        }
      }
      case TunnelAnswered(var service, long of, var answer) -> {
        if (of == round) {
          confirmed.put(service, answer);
        }
      }
      case TunnelRefused(var service, long of, var why) -> {
        if (of == round) {
          tunnelRefused(service, why);
        }
      }
      case End(var replyTo) -> {
        end(replyTo);
        links.values().forEach(link -> link.tell(new AgentLink.GoAway()));
      }
      case Drain(var replyTo) -> {
        end(replyTo);
        links
            .values()
            .forEach(link -> link.tell(new AgentLink.Retire(outbound.settings().drainGrace())));
      }
      case LinkGone(long link) -> {
        links.remove(link);
        noLongerUp(link);
        if (linking != null) {
          linking.spread().lost(link, System.nanoTime(), ThreadLocalRandom.current());
        }
        endedWhenNoLinkRuns();
      }
    }
    if (ending.isEmpty()) {
      follow();
    }
    announce();
    return Behaviors.same();
  }

  private void end(ActorRef<Ended> replyTo) {
    ending.add(replyTo);
    timers.cancelAll();
    meters.heartbeats().state(HeartbeatMeters.State.DISCONNECTED);
    endedWhenNoLinkRuns();
  }

  private void reported(Spread spread, AgentLink.Report report) {
    long now = System.nanoTime();
    var random = ThreadLocalRandom.current();
    switch (report) {
      case AgentLink.Report.Up(long link, var node, var nodes) -> {
        spread.nodes(nodes);
        spread.up(link, node, now, random);
        linksUp.add(link);
        if (linksUp.size() == 1) {
          meters.heartbeats().state(HeartbeatMeters.State.CONNECTED);
          if (round > 0) {
            registerTunnels();
          }
        }
      }
      case AgentLink.Report.Nodes(var nodes) -> spread.nodes(nodes);
      case AgentLink.Report.DrainAsked(long link) -> spread.drain(link, now, random);
      case AgentLink.Report.Failed(long link, var retryAfter) ->
          spread.failed(link, retryAfter, now, random);
      case AgentLink.Report.Lost(long link) -> {
        spread.lost(link, now, random);
        noLongerUp(link);
      }
    }
  }

  private void noLongerUp(long link) {
    if (linksUp.remove(link) && linksUp.isEmpty() && ending.isEmpty()) {
      meters.heartbeats().state(HeartbeatMeters.State.RECONNECTING);
      confirmed.clear();
      round++;
    }
  }

  private Linking linking(List<URI> gatewayUrls) {
    return new Linking(
        new Spread(
            outbound.settings().id(),
            outbound.settings().links(),
            gatewayUrls,
            url ->
                url.getHost() != null
                    && ("ws".equals(url.getScheme())
                        || ("wss".equals(url.getScheme()) && outbound.tls() != null)),
            BACKOFF,
            System.nanoTime()),
        new TargetStream.Shared(outbound.loops(), targets(Protocol.TCP), meters),
        new TargetFlow.Shared(outbound.loops(), targets(Protocol.UDP), outbound.budget(), meters),
        context.messageAdapter(AgentLink.Report.class, Reported::new));
  }

  /// Does what follows from what has happened.
  private void follow() {
    Linking all = linking;
    if (all == null) {
      return;
    }
    long now = System.nanoTime();
    for (Spread.Step step : all.spread().steps(now, ThreadLocalRandom.current())) {
      switch (step) {
        case Spread.Step.Dial(long link, var target) -> dial(all, link, target);
        case Spread.Step.TellDrained(long link) -> tell(link, new AgentLink.TellDrained());
        case Spread.Step.Retire(long link) ->
            tell(link, new AgentLink.Retire(outbound.settings().drainGrace()));
      }
    }
    Long due = all.spread().dueAt();
    if (due == null) {
      timers.cancel(new Due());
    } else {
      timers.startSingleTimer(new Due(), Duration.ofNanos(Math.max(0, due - now)));
    }
  }

  private void tell(long link, AgentLink.Command command) {
    var actor = links.get(link);
    if (actor != null) {
      actor.tell(command);
    }
  }

  private void dial(Linking all, long number, Spread.Target target) {
    Loop loop = outbound.loops().next();
    var link =
        context.spawn(
            AgentLink.create(
                new AgentLink.Setup(
                    outbound,
                    all.streams(),
                    all.flows(),
                    number,
                    withQuery(target.url()),
                    clusterId,
                    loop,
                    all.reports())),
            "link-" + number,
            DispatcherSelector.fromConfig(loop.dispatcher()));
    links.put(number, link);
    context.watchWith(link, new LinkGone(number));
  }

  private Targets targets(Protocol protocol) {
    var targets = new HashMap<String, Target>();
    for (ServiceSettings service : outbound.settings().exposed()) {
      if (service.protocol() == protocol) {
        targets.put(TunnelClient.tunnelId(clusterId, service), Target.of(service));
      }
    }
    return new Targets(targets);
  }

  private void endedWhenNoLinkRuns() {
    if (links.isEmpty()) {
      ending.forEach(waiting -> waiting.tell(new Ended()));
    }
  }

  /// The query that the protocol wants, in the order of the original.
  private URI withQuery(URI gatewayUrl) {
    String path = gatewayUrl.getRawPath().isEmpty() ? "/ws" : gatewayUrl.getRawPath();
    String before = gatewayUrl.getRawQuery() == null ? "" : gatewayUrl.getRawQuery() + "&";
    String query =
        "agent_version="
            + URLEncoder.encode(outbound.version(), StandardCharsets.UTF_8)
            + "&"
            + Capability.QUERY_PARAMETER
            + "="
            + Capability.format(outbound.capabilities())
            + "&cluster_uuid="
            + URLEncoder.encode(clusterId, StandardCharsets.UTF_8)
            + "&supports_binary=true&supports_response_streaming=true&supports_streaming=true"
            + "&supports_websocket=true&supports_yamux="
            + outbound.settings().protocol().allows(Carrier.YAMUX);
    return URI.create(
        gatewayUrl.getScheme()
            + "://"
            + gatewayUrl.getRawAuthority()
            + path
            + "?"
            + before
            + query);
  }

  private void registerTunnels() {
    roundStartedAt = System.nanoTime();
    meters.discovery().synced(outbound.settings().exposed().size());
    outbound.settings().exposed().forEach(this::registerTunnel);
  }

  private void registerTunnel(ServiceSettings service) {
    long now = round;
    context.pipeToSelf(
        client.register(outbound.loops().get(0), clusterId, service),
        (answer, failed) ->
            failed == null
                ? new TunnelAnswered(service, now, answer)
                : new TunnelRefused(service, now, failed));
  }

  private void tunnelRefused(ServiceSettings service, Throwable why) {
    meters.discovery().registrationFailed();
    Throwable cause = Tcp.causeOf(why);
    log.atWarn()
        .addKeyValue("service", service.name())
        .addKeyValue("cause", cause.getMessage())
        .log("the gateway did not take a tunnel");
    var outage = Duration.ofNanos(System.nanoTime() - roundStartedAt);
    timers.startSingleTimer(
        service,
        new RegisterTunnel(service, round),
        BACKOFF.delay(outage, Duration.ZERO, ThreadLocalRandom.current()));
  }

  /// Tells users what they can reach, and operators what is still missing.
  private void announce() {
    var reasons = new ArrayList<String>();
    if (clusterId.isEmpty()) {
      reasons.add("not registered at the gateway");
    } else if (linksUp.isEmpty()) {
      reasons.add("no link to the gateway");
    }
    for (ServiceSettings service : outbound.settings().exposed()) {
      TunnelRegistered tunnel = confirmed.get(service);
      if (tunnel == null) {
        reasons.add("tunnel " + service.name() + " is not confirmed by the gateway");
      } else if (!linksUp.isEmpty() && !tunnel.tunnelEndpoint().equals(announced.get(service))) {
        announced.put(service, tunnel.tunnelEndpoint());
        announcements
            .reachable()
            .accept(
                service.name()
                    + "  "
                    + service.protocol().label()
                    + "  "
                    + tunnel.tunnelEndpoint()
                    + " -> "
                    + service.target());
      }
    }
    notReady.accept(List.copyOf(reasons));
  }
}
