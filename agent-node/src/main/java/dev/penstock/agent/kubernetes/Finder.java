package dev.penstock.agent.kubernetes;

import dev.penstock.agent.kubernetes.backends.BackendChooser;
import dev.penstock.agent.kubernetes.backends.BackendsView;
import dev.penstock.agent.kubernetes.discovery.Availability;
import dev.penstock.agent.kubernetes.discovery.ClusterView;
import dev.penstock.agent.kubernetes.discovery.DesiredTunnel;
import dev.penstock.agent.kubernetes.discovery.Discovered;
import dev.penstock.agent.kubernetes.discovery.Discovery;
import dev.penstock.agent.kubernetes.discovery.GatewayLink;
import dev.penstock.agent.kubernetes.discovery.GatewayState;
import dev.penstock.agent.kubernetes.discovery.Grant;
import dev.penstock.agent.kubernetes.discovery.TunnelKey;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.publish.Leadership.Office;
import dev.penstock.agent.kubernetes.publish.Writes;
import dev.penstock.agent.kubernetes.watch.Watches;
import dev.penstock.agent.observe.KubernetesMeters;
import dev.penstock.agent.serve.Exposure;
import dev.penstock.agent.serve.Found;
import dev.penstock.agent.serve.Grants;
import dev.penstock.agent.settings.AgentSettings;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Looks at the cluster whenever something may follow: hands what is found to the agent and, in
/// office, what is to be told to the writer. A fault of one look is logged and counted, and the
/// next one comes.
final class Finder {
  /// What this actor is told.
  sealed interface Command {}

  /// The cluster is another.
  record Changed(Watches.State cluster) implements Command {}

  /// The gateway has said something.
  record Granted(Grants grants) implements Command {}

  /// This agent may write now, or may not any more.
  record Elected(Office office) implements Command {}

  private record Look() implements Command {}

  private record LookAgain() implements Command {}

  private record Sent(List<DesiredTunnel> tunnels, Found.Duty duty) {}

  /// What the agent has for a tunnel, for as long as the tunnel is the same.
  private record Translated(DesiredTunnel tunnel, Exposure exposure) {}

  /// What it is made of.
  ///
  /// @param writer gets all that is to be written, in office
  /// @param found gets all that is to be exposed
  /// @param notReady gets the reasons why this part of the agent is not ready
  record Setup(
      AgentSettings settings,
      BackendChooser chooser,
      BackendsView backends,
      Consumer<Writes> writer,
      KubernetesMeters meters,
      Consumer<Found> found,
      Consumer<List<String>> notReady) {}

  private static final Logger log = LoggerFactory.getLogger(Finder.class);

  /// After a look, before the next, in times that it took: a cluster in which much changes at once,
  /// as when thousands of statuses are written, leaves the processor to others.
  private static final int RESTS = 4;

  /// A single change does not wait for more than this.
  private static final Duration LONGEST_REST = Duration.ofMillis(200);

  /// When it is time for a look that was put off.
  private static final Duration SOON = Duration.ofMillis(10);

  private final ActorRef<Command> self;
  private final TimerScheduler<Command> timers;
  private final Setup setup;
  private Watches.@Nullable State cluster;
  private Grants grants = Grants.none();
  private GatewayLink link = new GatewayLink(GatewayLink.State.DOWN, Instant.now());
  private GatewayState gateway = new GatewayState(link, Map.of());
  private Office office = Office.FOLLOWER;
  private @Nullable Discovery discovery;

  /// What was handed on last; null when it is to be handed on whatever it is.
  private @Nullable Sent sent;

  /// By tunnel.
  private Map<TunnelKey, Translated> translated = Map.of();

  private List<String> problems = List.of();
  private long restsUntil = System.nanoTime();

  /// Whether a look is to come already.
  private boolean isDue;

  private Finder(ActorRef<Command> self, TimerScheduler<Command> timers, Setup setup) {
    this.self = self;
    this.timers = timers;
    this.setup = setup;
  }

  static Behavior<Command> create(Setup setup) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          var finder = new Finder(context.getSelf(), timers, setup);
          finder.tellReadiness();
          timers.startTimerWithFixedDelay(new LookAgain(), setup.settings().kubernetes().resync());
          return Behaviors.receiveMessage(finder::on);
        }));
  }

  private Behavior<Command> on(Command command) {
    switch (command) {
      case Changed(var now) -> {
        cluster = now;
        setup.meters().watching(now.watches(), now.watching());
        tellProblems(now.problems());
        tellReadiness();
        soon();
      }
      case Granted(var now) -> {
        // It is told after everything that is found, too: looking again for nothing would not end.
        if (!now.equals(grants)) {
          granted(now);
          soon();
        }
      }
      case Elected(var now) -> {
        office = now;
        if (now == Office.LEADER) {
          setup.meters().elected();
        } else {
          setup.meters().notElected();
        }
        soon();
      }
      case Look() -> {
        isDue = false;
        look();
      }
      case LookAgain() -> {
        sent = null;
        look();
      }
    }
    return Behaviors.same();
  }

  /// Looks after the rest; without one, after what has arrived already. No timer for that: the
  /// shortest takes a tick of the system's scheduler, which is longer than a look.
  private void soon() {
    if (!isDue) {
      isDue = true;
      Duration rest = Duration.ofNanos(restsUntil - System.nanoTime());
      if (rest.isPositive()) {
        timers.startSingleTimer(Look.class, new Look(), rest);
      } else {
        self.tell(new Look());
      }
    }
  }

  private void granted(Grants now) {
    if (!now.cluster().equals(grants.cluster())) {
      discovery = new Discovery(Translation.options(setup.settings(), now.cluster()));
    }
    GatewayLink.State state =
        now.carriage() == Grants.Carriage.LINKED ? GatewayLink.State.UP : GatewayLink.State.DOWN;
    if (state != link.state()) {
      link = new GatewayLink(state, Instant.now());
    }
    grants = now;
    var byId = new HashMap<String, Grant>();
    now.byId().forEach((id, grant) -> byId.put(id, Translation.grant(grant)));
    gateway = new GatewayState(link, byId);
  }

  private void look() {
    Watches.State seen = cluster;
    Discovery looking = discovery;
    if (seen == null || looking == null || grants.cluster().isEmpty()) {
      return;
    }
    long startedAt = System.nanoTime();
    boolean leads = office == Office.LEADER;
    Discovered discovered;
    try {
      discovered = looking.look(seen.view(), gateway, Instant.now());
      hand(new Sent(discovered.tunnels(), leads ? Found.Duty.REGISTER : Found.Duty.SERVE));
    } catch (RuntimeException e) {
      setup.meters().lookFailed();
      log.error("a look at the cluster failed; what was found before stays", e);
      return;
    }
    long endedAt = System.nanoTime();
    restsUntil = endedAt + Math.min(LONGEST_REST.toNanos(), RESTS * (endedAt - startedAt));
    setup.meters().looked(endedAt - startedAt);
    setup.meters().noticesLeftOut(discovered.noticesLeftOut());
    if (leads) {
      setup
          .writer()
          .accept(
              new Writes(
                  versions(seen.view()),
                  discovered.statuses(),
                  discovered.finalizers(),
                  discovered.endpoints(),
                  discovered.notices()));
    }
    discovered
        .nextLook()
        .ifPresent(when -> {
          Duration until = Duration.between(Instant.now(), when);
          timers.startSingleTimer("next", new LookAgain(), until.isPositive() ? until : SOON);
        });
  }

  /// Statuses change far more often than what there is to expose.
  private void hand(Sent now) {
    if (now.equals(sent)) {
      return;
    }
    var all = HashMap.<TunnelKey, Translated>newHashMap(now.tunnels().size());
    List<Exposure> exposures = new ArrayList<>(now.tunnels().size());
    for (DesiredTunnel tunnel : now.tunnels()) {
      Translated one = translated.get(tunnel.key());
      if (one == null || !one.tunnel().equals(tunnel)) {
        one =
            new Translated(
                tunnel,
                Translation.exposure(tunnel, setup.settings(), setup.chooser(), setup.backends()));
      }
      all.put(tunnel.key(), one);
      exposures.add(one.exposure());
    }
    translated = all;
    setup.found().accept(new Found(exposures, now.duty()));
    sent = now;
  }

  private static Map<Kind, String> versions(ClusterView view) {
    var versions = new EnumMap<Kind, String>(Kind.class);
    for (Kind kind : Kind.values()) {
      if (view.availability(kind) instanceof Availability.Served(var version)) {
        versions.put(kind, version);
      }
    }
    return versions;
  }

  private void tellProblems(List<String> now) {
    if (!now.equals(problems)) {
      problems = now;
      if (now.isEmpty()) {
        log.info("everything in the cluster can be read again");
      }
    }
  }

  private void tellReadiness() {
    setup
        .notReady()
        .accept(
            cluster == null
                ? List.of("the objects of the cluster are not all read yet")
                : List.of());
  }
}
