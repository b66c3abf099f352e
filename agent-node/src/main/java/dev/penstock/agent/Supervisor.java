package dev.penstock.agent;

import dev.penstock.agent.connect.AgentLink;
import dev.penstock.agent.connect.Backoff;
import dev.penstock.agent.connect.Outbound;
import dev.penstock.agent.connect.Registrar;
import dev.penstock.agent.connect.Spread;
import dev.penstock.agent.observe.AgentMeters;
import dev.penstock.agent.observe.HeartbeatMeters;
import dev.penstock.agent.serve.Found;
import dev.penstock.agent.serve.Grants;
import dev.penstock.agent.serve.SeenTunnel;
import dev.penstock.agent.serve.TargetFlow;
import dev.penstock.agent.serve.TargetStream;
import dev.penstock.agent.settings.KubernetesSettings;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.Carrier;
import dev.penstock.protocol.net.Loop;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.BiFunction;
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

  /// Asks for all tunnels.
  record Survey(ActorRef<Surveyed> replyTo) implements Command {}

  /// The answer to [Survey].
  record Surveyed(List<SeenTunnel> tunnels) {}

  /// All links are closed; what the gateway is to read is on its way.
  record Ended() {}

  /// This agent's part among those of its cluster.
  ///
  /// @param granted gets what the gateway says about what was found, whenever that changes
  record Part(Set<KubernetesSettings.Role> roles, Consumer<Grants> granted) {
    /// That of an agent outside of Kubernetes.
    static Part alone() {
      return new Part(EnumSet.allOf(KubernetesSettings.Role.class), _ -> {});
    }

    boolean carries() {
      return roles.contains(KubernetesSettings.Role.DATA);
    }
  }

  private record Registered(Registrar.Result result) implements Command {}

  private record Reported(AgentLink.Report report) implements Command {}

  /// What was found to expose beside the settings' services.
  record Discover(Found found) implements Command {}

  private record Happened(Exposures.Event event) implements Command {}

  private record LinkGone(long link) implements Command {}

  private record Due() implements Command {}

  private static final Logger log = LoggerFactory.getLogger(Supervisor.class);
  private static final Backoff BACKOFF = Backoff.standard();

  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final Outbound outbound;
  private final AgentMeters meters;
  private final Agent.Announcements announcements;
  private final Consumer<List<String>> notReady;
  private final Part part;
  private final Exposures exposures;
  private final Map<Long, ActorRef<AgentLink.Command>> links = new HashMap<>();
  private String clusterId = "";
  private @Nullable Linking linking;
  private final List<ActorRef<Ended>> ending = new ArrayList<>();
  private final Set<Long> linksUp = new HashSet<>();

  /// What is known once the agent is registered.
  private record Linking(
      Spread spread,
      TargetStream.Shared streams,
      TargetFlow.Shared flows,
      ActorRef<AgentLink.Report> reports) {}

  private Supervisor(
      ActorContext<Command> context,
      TimerScheduler<Command> timers,
      Outbound outbound,
      AgentMeters meters,
      Agent.Announcements announcements,
      Consumer<List<String>> notReady,
      Part part) {
    this.part = part;
    this.context = context;
    this.timers = timers;
    this.outbound = outbound;
    this.meters = meters;
    this.announcements = announcements;
    this.notReady = notReady;
    this.exposures = new Exposures(outbound, meters, new ForExposures());
  }

  /// The parts of this actor that its tunnels need.
  private final class ForExposures implements Exposures.Owner {
    @Override
    public <T> void whenDone(
        CompletionStage<T> call, BiFunction<T, Throwable, Exposures.Event> event) {
      context.pipeToSelf(call, (done, failed) -> new Happened(event.apply(done, failed)));
    }

    @Override
    public void later(Object name, Exposures.Event event, Duration delay) {
      if (ending.isEmpty()) {
        timers.startSingleTimer(name, new Happened(event), delay);
      }
    }

    @Override
    public void reachable(String line) {
      announcements.reachable().accept(line);
    }

    @Override
    public void granted(Grants grants) {
      part.granted().accept(grants);
    }
  }

  /// An agent that registers at once.
  ///
  /// @param notReady gets the reasons why the agent is not ready, whenever they change
  static Behavior<Command> create(
      Outbound outbound,
      AgentMeters meters,
      Agent.Announcements announcements,
      Consumer<List<String>> notReady,
      Part part) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          var self =
              new Supervisor(context, timers, outbound, meters, announcements, notReady, part);
          self.register();
          self.tellReadiness();
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
        meters.live().registeredAs(id);
        log.atInfo().addKeyValue("cluster", id).log("registered at the gateway");
        linking = linking(gatewayUrls);
        exposures.registeredAs(id);
        if (!part.carries()) {
          // Others have the links.
          exposures.linkUp();
        }
      }
      case Registered(Registrar.Result.Refused(var why)) -> announcements.refused().accept(why);
      case Reported(var report) -> {
        if (linking != null) {
          reported(linking.spread(), report);
        }
      }
      case Survey(var replyTo) -> {
        replyTo.tell(new Surveyed(exposures.survey()));
        return Behaviors.same();
      }
      case Due() -> {
        // What follows is done below.
      }
      case Discover(var found) -> {
        if (ending.isEmpty()) {
          exposures.discovered(found);
        }
      }
      case Happened(var event) -> exposures.on(event);
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
        if (linksUp.contains(link) && ending.isEmpty()) {
          linkCrashed(link);
        }
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
    tellReadiness();
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
      case AgentLink.Report.Up(long link, var node) -> {
        spread.up(link, node, now, random);
        linksUp.add(link);
        if (linksUp.size() == 1) {
          meters.heartbeats().state(HeartbeatMeters.State.CONNECTED);
          exposures.linkUp();
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
      exposures.linksLost();
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
        new TargetStream.Shared(outbound.loops(), exposures.targets(), meters),
        new TargetFlow.Shared(outbound.loops(), exposures.targets(), outbound.budget(), meters),
        context.messageAdapter(AgentLink.Report.class, Reported::new));
  }

  /// Does what follows from what has happened.
  private void follow() {
    Linking all = linking;
    if (all == null || !part.carries()) {
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

  /// A link says that it is down before it ends by itself: this was a fault of ours.
  private void linkCrashed(long link) {
    meters.linkCrashed();
    log.atError().addKeyValue("link", link).log("a link ended by a fault and is opened again");
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

  /// Tells operators what is still missing.
  private void tellReadiness() {
    var reasons = new ArrayList<String>();
    if (clusterId.isEmpty()) {
      reasons.add("not registered at the gateway");
    } else if (linksUp.isEmpty() && part.carries()) {
      reasons.add("no link to the gateway");
    }
    reasons.addAll(exposures.missing());
    notReady.accept(List.copyOf(reasons));
  }
}
