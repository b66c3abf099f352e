package dev.penstock.agent;

import static java.util.stream.Collectors.joining;

import dev.penstock.agent.connect.ApiAddresses;
import dev.penstock.agent.connect.Outbound;
import dev.penstock.agent.kubernetes.KubernetesSide;
import dev.penstock.agent.observe.AgentMeters;
import dev.penstock.agent.serve.Grants;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.agent.settings.KubernetesSettings;
import dev.penstock.management.JvmMeters;
import dev.penstock.management.ManagementServer;
import dev.penstock.node.NodeSystem;
import dev.penstock.node.RunningNode;
import dev.penstock.protocol.link.LinkSettings;
import dev.penstock.protocol.net.Tls;
import dev.penstock.protocol.net.WebSocketSettings;
import dev.penstock.protocol.yamux.ByteBudget;
import dev.penstock.protocol.yamux.SessionSettings;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.SpawnProtocol;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One agent node: starts its parts in order and ends them in reverse. Not thread-safe.
public final class Agent implements RunningNode.Drainable {
  private static final Logger log = LoggerFactory.getLogger(Agent.class);
  private static final Duration START_TIMEOUT = Duration.ofSeconds(30);
  private static final Duration GOODBYE = Duration.ofMillis(300);

  /// For the closing handshakes after the grace time.
  private static final Duration DRAIN_MARGIN = Duration.ofSeconds(5);

  private final NodeSystem node;
  private final ManagementServer management;
  private final ActorRef<Supervisor.Command> supervisor;
  private final @Nullable KubernetesSide kubernetes;
  private final Duration drainGrace;
  private final CompletableFuture<Void> drained = new CompletableFuture<>();

  private Agent(
      NodeSystem node,
      ManagementServer management,
      ActorRef<Supervisor.Command> supervisor,
      @Nullable KubernetesSide kubernetes,
      Duration drainGrace) {
    this.kubernetes = kubernetes;
    this.drainGrace = drainGrace;
    this.node = node;
    this.management = management;
    this.supervisor = supervisor;
  }

  /// Who hears of what users and operators wait for; called from any thread.
  ///
  /// @param reachable a line for every tunnel that clients can now reach
  /// @param refused the gateway refused the token before it ever took it
  public record Announcements(Consumer<String> reachable, Consumer<String> refused) {}

  /// Starts an agent; it links and registers in the background from then on.
  ///
  /// @throws dev.penstock.config.ConfigException the management port is taken or a certificate
  ///   cannot be used
  public static Agent start(AgentSettings settings, Announcements announcements) {
    Tls tls = tls(settings);
    var node = NodeSystem.start("agent", settings.eventLoops());
    try {
      return start(settings, node, tls, announcements);
    } catch (RuntimeException e) {
      node.close();
      throw e;
    }
  }

  private static Agent start(
      AgentSettings settings, NodeSystem node, @Nullable Tls tls, Announcements announcements) {
    var registry = new PrometheusRegistry();
    var budget = new ByteBudget(settings.windows().processBudget());
    var meters = new AgentMeters(registry, budget);
    JvmMeters.register(registry);
    var notReady = new AtomicReference<>(List.of("not registered at the gateway"));
    boolean inKubernetes = settings.kubernetes().isOn(System.getenv());
    var kubernetesNotReady = new AtomicReference<>(List.<String>of());
    var grants = new GrantsRelay();
    ActorRef<Supervisor.Command> supervisor =
        supervise(
            settings,
            node,
            tls,
            budget,
            meters,
            announcements,
            notReady::set,
            new Supervisor.Part(
                inKubernetes
                    ? settings.kubernetes().roles()
                    : EnumSet.allOf(KubernetesSettings.Role.class),
                grants));
    KubernetesSide kubernetes =
        inKubernetes
            ? inKubernetes(settings, node, meters, supervisor, kubernetesNotReady::set)
            : null;
    if (kubernetes != null) {
      grants.goTo(kubernetes::granted);
    }
    ManagementServer management;
    try {
      management =
          await(
              ManagementServer.start(
                  node.actors(),
                  settings.management().resolve(),
                  registry,
                  () ->
                      Stream.concat(notReady.get().stream(), kubernetesNotReady.get().stream())
                          .toList()));
    } catch (CompletionException e) {
      if (kubernetes != null) {
        kubernetes.close();
      }
      throw settings
          .origins()
          .refuse(
              "management.listen",
              settings.management(),
              "an address of this machine with a free port; the system says: "
                  + (e.getCause() == null ? e : e.getCause()).getMessage());
    }
    log.atInfo()
        .addKeyValue(
            "gateway", settings.apiUrls().stream().map(URI::toString).collect(joining(", ")))
        .addKeyValue("services", settings.exposed().size())
        .addKeyValue("management", management.address())
        .addKeyValue("transport", node.loops().transport())
        .addKeyValue("kubernetes", inKubernetes)
        .log("the agent is up");
    return new Agent(node, management, supervisor, kubernetes, settings.drainGrace());
  }

  private static KubernetesSide inKubernetes(
      AgentSettings settings,
      NodeSystem node,
      AgentMeters meters,
      ActorRef<Supervisor.Command> supervisor,
      Consumer<List<String>> notReady) {
    try {
      return KubernetesSide.start(
          settings,
          version(),
          node.actors(),
          meters.kubernetes(),
          found -> supervisor.tell(new Supervisor.Discover(found)),
          notReady);
    } catch (RuntimeException e) {
      throw settings
          .origins()
          .refuse(
              "kubernetes.kubeconfig",
              settings.kubernetes().kubeconfig().map(Path::toString).orElse("nothing"),
              "a readable kubeconfig, or a pod with a service account: " + e.getMessage());
    }
  }

  /// Hands the newest grants on, from the time on when there is somebody to take them.
  private static final class GrantsRelay implements Consumer<Grants> {
    private Grants newest = Grants.none();
    private @Nullable Consumer<Grants> taker;

    @Override
    public synchronized void accept(Grants grants) {
      newest = grants;
      if (taker != null) {
        taker.accept(grants);
      }
    }

    synchronized void goTo(Consumer<Grants> whoever) {
      taker = whoever;
      whoever.accept(newest);
    }
  }

  private static ActorRef<Supervisor.Command> supervise(
      AgentSettings settings,
      NodeSystem node,
      @Nullable Tls tls,
      ByteBudget budget,
      AgentMeters meters,
      Announcements announcements,
      Consumer<List<String>> notReady,
      Supervisor.Part part) {
    var outbound =
        new Outbound(
            settings,
            new ApiAddresses(settings.apiUrls()),
            node.loops(),
            tls,
            WebSocketSettings.defaults(),
            linkSettings(settings),
            budget,
            version());
    return await(
        AskPattern.<SpawnProtocol.Command, ActorRef<Supervisor.Command>>ask(
            node.actors(),
            replyTo ->
                new SpawnProtocol.Spawn<>(
                    Supervisor.create(outbound, meters, announcements, notReady, part),
                    "supervisor",
                    DispatcherSelector.defaultDispatcher(),
                    replyTo),
            START_TIMEOUT,
            node.actors().scheduler()));
  }

  /// Starts one of many agents of a process, for load tests: they share the node's threads and what
  /// `meters` counts, and have no management port. It ends with the node.
  ///
  /// @param budget bytes that all of them together may hold for slow readers
  public static void startGuest(
      AgentSettings settings,
      NodeSystem node,
      ByteBudget budget,
      AgentMeters meters,
      Announcements announcements) {
    supervise(
        settings,
        node,
        tls(settings),
        budget,
        meters,
        announcements,
        _ -> {},
        Supervisor.Part.alone());
  }

  private static @Nullable Tls tls(AgentSettings settings) {
    if (settings.apiUrls().stream().noneMatch(url -> "https".equals(url.getScheme()))) {
      return null;
    }
    var files = settings.tls();
    try {
      return Tls.load(
          Tls.Side.CLIENT,
          new Tls.Pem(
              files.certFile(),
              files.keyFile(),
              files.caFile(),
              files.verification() == AgentSettings.Tls.Verification.SKIPPED
                  ? Tls.Trust.ANYTHING
                  : Tls.Trust.VERIFIED));
    } catch (IOException e) {
      throw settings
          .origins()
          .refuse(
              "pipeops.tls",
              files.certFile() == null ? files.caFile() + "" : files.certFile(),
              "usable PEM files: " + e.getMessage());
    }
  }

  private static LinkSettings linkSettings(AgentSettings settings) {
    var defaults = LinkSettings.defaults();
    var yamux = SessionSettings.defaults();
    return new LinkSettings(
        new SessionSettings(
            settings.windows().maxStream(),
            yamux.maxFrame(),
            yamux.acceptBacklog(),
            yamux.maxStreams(),
            yamux.maxPendingOpens(),
            yamux.maxControlBacklog()),
        defaults.maxText(),
        settings.windows().sessionBudget(),
        defaults.keepAliveInterval(),
        defaults.keepAliveTimeout(),
        defaults.headerTimeout());
  }

  private static String version() {
    String version = Agent.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  private static <T> T await(CompletionStage<T> stage) {
    return stage.toCompletableFuture().join();
  }

  /// Lets what runs go on to its end, or until `agent.drain.grace` has passed, while the gateway is
  /// told to send nothing more here. Completes when no link is left; [#close] may be called at any
  /// time.
  @Override
  public CompletionStage<Void> drain() {
    if (kubernetes != null) {
      kubernetes.resign();
    }
    AskPattern.<Supervisor.Command, Supervisor.Ended>ask(
            supervisor,
            Supervisor.Drain::new,
            drainGrace.plus(DRAIN_MARGIN),
            node.actors().scheduler())
        .whenComplete((_, _) -> drained.complete(null));
    return whenDrained();
  }

  @Override
  public CompletionStage<Void> whenDrained() {
    return drained.minimalCompletionStage();
  }

  /// Where operators look.
  public InetSocketAddress managementAddress() {
    return management.address();
  }

  /// The actors of this node.
  ActorSystem<?> actors() {
    return node.actors();
  }

  /// Ends in order: links closed with the closing handshake, then everything else.
  @Override
  public void close() {
    if (kubernetes != null) {
      kubernetes.close();
    }
    AskPattern.<Supervisor.Command, Supervisor.Ended>ask(
            supervisor, Supervisor.End::new, GOODBYE, node.actors().scheduler())
        .handle((_, _) -> null)
        .toCompletableFuture()
        .join();
    node.close();
  }
}
