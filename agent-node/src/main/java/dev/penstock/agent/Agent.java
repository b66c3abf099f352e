package dev.penstock.agent;

import static java.util.stream.Collectors.joining;

import dev.penstock.agent.connect.ApiAddresses;
import dev.penstock.agent.connect.Outbound;
import dev.penstock.agent.kubernetes.KubernetesSide;
import dev.penstock.agent.kubernetes.watch.ApiServer;
import dev.penstock.agent.manage.AgentApi;
import dev.penstock.agent.observe.AgentMeters;
import dev.penstock.agent.serve.Grants;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.agent.settings.KubernetesSettings;
import dev.penstock.config.ConfigException;
import dev.penstock.config.HostPort;
import dev.penstock.management.JvmMeters;
import dev.penstock.management.LoggerPages;
import dev.penstock.management.ManagementServer;
import dev.penstock.management.Readiness;
import dev.penstock.management.access.Guard;
import dev.penstock.management.api.ApiMeters;
import dev.penstock.node.NodeSystem;
import dev.penstock.node.RunningNode;
import dev.penstock.node.ServerTls;
import dev.penstock.observe.AccessLog;
import dev.penstock.observe.LoopMeters;
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
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
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
  private static final Duration ASK = Duration.ofSeconds(5);
  private static final Duration GOODBYE = Duration.ofMillis(300);

  /// For the closing handshakes after the grace time.
  private static final Duration DRAIN_MARGIN = Duration.ofSeconds(5);

  private final NodeSystem node;
  private final ManagementServer management;
  private final ActorRef<Supervisor.Command> supervisor;
  private final @Nullable KubernetesSide kubernetes;
  private final Duration drainGrace;
  private final AtomicBoolean draining;
  private final AccessLog access;
  private final CompletableFuture<Void> drained = new CompletableFuture<>();

  private Agent(
      NodeSystem node,
      ManagementServer management,
      ActorRef<Supervisor.Command> supervisor,
      @Nullable KubernetesSide kubernetes,
      Duration drainGrace,
      AtomicBoolean draining,
      AccessLog access) {
    this.draining = draining;
    this.access = access;
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
    var access = AccessLog.start(settings.logging(), settings.tracing(), "penstock-agent");
    access.node(settings.id());
    var meters = new AgentMeters(registry, budget, access);
    JvmMeters.register(registry);
    var loopMeters = LoopMeters.start(registry, "penstock_agent", node.loops(), node.actors());
    var notReady = new AtomicReference<>(List.of("not registered at the gateway"));
    boolean inKubernetes = settings.kubernetes().isOn(System.getenv());
    var kubernetesNotReady = new AtomicReference<>(List.<String>of());
    ApiServer api = inKubernetes ? apiServer(settings) : null;
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
                grants),
            api == null ? () -> "" : api::uid);
    loopMeters.watch("supervisor", supervisor);
    KubernetesSide kubernetes =
        api == null
            ? null
            : KubernetesSide.start(
                settings,
                api,
                node.actors(),
                meters.kubernetes(),
                found -> supervisor.tell(new Supervisor.Discover(found)),
                kubernetesNotReady::set);
    if (kubernetes != null) {
      grants.goTo(kubernetes::granted);
    }
    Tls managementTls = managementTls(settings);
    var apiMeters = new ApiMeters(registry);
    var draining = new AtomicBoolean();
    Readiness readiness =
        () -> Stream.concat(notReady.get().stream(), kubernetesNotReady.get().stream()).toList();
    var operations =
        new AgentApi(
            new AgentApi.Setup(
                node.actors(),
                settings.id(),
                version(),
                meters.live()::cluster,
                readiness::reasons,
                draining::get,
                meters,
                registry,
                apiMeters,
                () ->
                    AskPattern.<Supervisor.Command, Supervisor.Surveyed>ask(
                            supervisor, Supervisor.Survey::new, ASK, node.actors().scheduler())
                        .thenApply(Supervisor.Surveyed::tunnels)));
    ManagementServer management;
    try {
      management =
          listening(
              settings,
              "management.listen",
              settings.management().listen(),
              address ->
                  ManagementServer.start(
                      node.actors(),
                      address,
                      registry,
                      readiness,
                      new ManagementServer.Entrance(
                          new Guard(settings.management()), managementTls, apiMeters),
                      new ManagementServer.Parts(
                          Map.of(),
                          Map.of(),
                          Map.of("/loggers", new LoggerPages(node.actors())),
                          operations.api())));
      HostPort probes = settings.management().probes();
      if (probes != null) {
        // Health, readiness and metrics for all who reach another address.
        listening(
            settings,
            "management.probes",
            probes,
            address -> ManagementServer.start(node.actors(), address, registry, readiness));
      }
    } catch (ConfigException e) {
      if (kubernetes != null) {
        kubernetes.close();
      }
      throw e;
    }
    log.atInfo()
        .addKeyValue(
            "gateway", settings.apiUrls().stream().map(URI::toString).collect(joining(", ")))
        .addKeyValue("services", settings.exposed().size())
        .addKeyValue("management", management.address())
        .addKeyValue("transport", node.loops().transport())
        .addKeyValue("kubernetes", inKubernetes)
        .log("the agent is up");
    return new Agent(
        node, management, supervisor, kubernetes, settings.drainGrace(), draining, access);
  }

  private static ManagementServer listening(
      AgentSettings settings,
      String key,
      HostPort at,
      Function<InetSocketAddress, CompletionStage<ManagementServer>> start) {
    try {
      return await(start.apply(at.resolve()));
    } catch (CompletionException e) {
      throw settings
          .origins()
          .refuseListen(key, at, (e.getCause() == null ? e : e.getCause()).getMessage());
    }
  }

  private static @Nullable Tls managementTls(AgentSettings settings) {
    var files = settings.management().tls();
    if (files == null) {
      return null;
    }
    return ServerTls.load(
        settings.origins(), "management.tls.cert", files.cert(), files.key(), files.clientCa());
  }

  private static ApiServer apiServer(AgentSettings settings) {
    try {
      return KubernetesSide.connect(settings.kubernetes(), version());
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
      Supervisor.Part part,
      Supplier<String> kubernetesUid) {
    var outbound =
        new Outbound(
            settings,
            new ApiAddresses(settings.apiUrls()),
            node.loops(),
            tls,
            WebSocketSettings.defaults(),
            linkSettings(settings),
            budget,
            version(),
            kubernetesUid);
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
        Supervisor.Part.alone(),
        () -> "");
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
    draining.set(true);
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
    access.close();
  }
}
