package dev.penstock.gateway;

import com.typesafe.config.Config;
import dev.penstock.config.HostPort;
import dev.penstock.config.Secret;
import dev.penstock.gateway.auth.Tokens;
import dev.penstock.gateway.cluster.ClusterNode;
import dev.penstock.gateway.cluster.NodeState;
import dev.penstock.gateway.drain.Drain;
import dev.penstock.gateway.leases.LeaseAuthority;
import dev.penstock.gateway.leases.LeaseMeters;
import dev.penstock.gateway.leases.MeteredLeases;
import dev.penstock.gateway.links.Arrivals;
import dev.penstock.gateway.links.GatewayLink;
import dev.penstock.gateway.links.Handshakes;
import dev.penstock.gateway.links.KubernetesClaims;
import dev.penstock.gateway.links.LinkPort;
import dev.penstock.gateway.links.LinkSupervisor;
import dev.penstock.gateway.links.Links;
import dev.penstock.gateway.links.NodeDirectory;
import dev.penstock.gateway.manage.GatewayApi;
import dev.penstock.gateway.observe.BadPeers;
import dev.penstock.gateway.observe.GatewayMeters;
import dev.penstock.gateway.observe.Rejection;
import dev.penstock.gateway.observe.RelayMeters;
import dev.penstock.gateway.relay.Relay;
import dev.penstock.gateway.relay.RelaySettings;
import dev.penstock.gateway.relay.RemoteNodes;
import dev.penstock.gateway.rest.AgentRest;
import dev.penstock.gateway.rest.ReservationPages;
import dev.penstock.gateway.sources.Bans;
import dev.penstock.gateway.tunnels.PublicDoors;
import dev.penstock.gateway.tunnels.Tunnel;
import dev.penstock.gateway.tunnels.Tunnels;
import dev.penstock.gateway.tunnels.UdpTunnel;
import dev.penstock.management.JvmMeters;
import dev.penstock.management.LoggerPages;
import dev.penstock.management.ManagementServer;
import dev.penstock.management.Readiness;
import dev.penstock.management.access.Guard;
import dev.penstock.management.api.ApiMeters;
import dev.penstock.node.Admission;
import dev.penstock.node.NodeSystem;
import dev.penstock.node.RunningNode;
import dev.penstock.node.ServerTls;
import dev.penstock.observe.AccessLog;
import dev.penstock.observe.LoopMeters;
import dev.penstock.protocol.control.Carrier;
import dev.penstock.protocol.json.OriginalPacing;
import dev.penstock.protocol.link.LinkSettings;
import dev.penstock.protocol.net.HttpPort;
import dev.penstock.protocol.net.Tcp;
import dev.penstock.protocol.net.TcpConnection;
import dev.penstock.protocol.net.Tls;
import dev.penstock.protocol.net.WebSocketSettings;
import dev.penstock.protocol.yamux.ByteBudget;
import dev.penstock.protocol.yamux.SessionSettings;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.SpawnProtocol;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.stream.javadsl.Flow;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One gateway node: starts its parts in order and ends them in reverse. Not thread-safe.
public final class Gateway implements RunningNode.Drainable {
  private static final Logger log = LoggerFactory.getLogger(Gateway.class);
  private static final Duration START_TIMEOUT = Duration.ofSeconds(30);

  /// For binding the ports of all tunnels, of which there may be tens of thousands.
  private static final Duration RESTORE_TIMEOUT = Duration.ofMinutes(5);

  private static final Duration GOODBYE = Duration.ofMillis(300);

  private final NodeSystem node;
  private final LeaseParts leases;
  private final ManagementServer management;
  private final Tcp.Listener listener;
  private final ActorRef<LinkSupervisor.Command> supervisor;
  private final @Nullable ClusterNode cluster;
  private final CompletableFuture<String> fault = new CompletableFuture<>();
  private final @Nullable RunningRelay relay;
  private final ActorRef<Drain.Command> drain;
  private final CompletableFuture<Void> drained;
  private final AccessLog access;
  private volatile boolean ending;

  /// How a node of a cluster carries streams over others.
  ///
  /// @param nodes what is known of the other nodes
  public record RelayPart(RelaySettings settings, RemoteNodes nodes) {}

  private record RunningRelay(
      ActorRef<Relay.Command> actor, InetSocketAddress address, RelayMeters meters) {}

  private Gateway(
      NodeSystem node,
      LeaseParts leases,
      ManagementServer management,
      Tcp.Listener listener,
      ActorRef<LinkSupervisor.Command> supervisor,
      ActorRef<Drain.Command> drain,
      CompletableFuture<Void> drained,
      @Nullable ClusterNode cluster,
      @Nullable RunningRelay relay,
      AccessLog access) {
    this.access = access;
    this.drain = drain;
    this.drained = drained;
    this.node = node;
    this.leases = leases;
    this.management = management;
    this.listener = listener;
    this.supervisor = supervisor;
    this.cluster = cluster;
    if (cluster != null) {
      cluster
          .ended()
          .thenAccept(why -> {
            if (!ending) {
              fault.complete(why);
            }
          });
    }
    this.relay = relay;
  }

  /// Starts a gateway; returns when it accepts agents and clients.
  ///
  /// @throws dev.penstock.config.ConfigException a port is taken or a certificate cannot be used
  /// @throws IOException the data directory cannot be used
  public static Gateway start(GatewaySettings settings) throws IOException {
    return start(settings, Surroundings.NONE);
  }

  /// What a gateway knows of other nodes.
  ///
  /// @param nodes where agents may link to
  /// @param handOver gives this node's part to others when it drains; run once, on any thread
  /// @param relay how it carries streams over others; null where it does not
  public record Surroundings(
      NodeDirectory nodes, Supplier<CompletionStage<Void>> handOver, @Nullable RelayPart relay) {
    /// Of a gateway of one node.
    public static final Surroundings NONE =
        new Surroundings(
            NodeDirectory.alone(), () -> CompletableFuture.completedFuture(null), null);

    /// The same with a relay.
    public Surroundings relaying(RelayPart part) {
      return new Surroundings(nodes, handOver, part);
    }
  }

  /// As [#start(GatewaySettings)], with `surroundings` where the settings name no cluster.
  public static Gateway start(GatewaySettings settings, Surroundings surroundings)
      throws IOException {
    Tls tls = tls(settings);
    var leases = LeaseParts.open(settings);
    NodeSystem node = null;
    try {
      node = system(settings, leases.config());
      return new Starting(settings, surroundings, node, tls, leases).start();
    } catch (IOException | RuntimeException e) {
      if (node != null) {
        node.close();
      }
      leases.close();
      throw e;
    }
  }

  private static NodeSystem system(GatewaySettings settings, List<Config> config) {
    var cluster = settings.cluster();
    if (cluster == null) {
      return NodeSystem.start("gateway", settings.eventLoops());
    }
    var all = new ArrayList<>(config);
    all.add(ClusterNode.config(cluster));
    return NodeSystem.start("gateway", settings.eventLoops(), all);
  }

  private static @Nullable Tls tls(GatewaySettings settings) {
    var files = settings.tls();
    if (files == null) {
      return null;
    }
    return ServerTls.load(
        settings.origins(), "gateway.tls.cert", files.cert(), files.key(), files.clientCa());
  }

  /// Where agents arrive.
  public InetSocketAddress address() {
    return listener.address();
  }

  /// Where other nodes' relay links arrive; null without a relay.
  @Nullable InetSocketAddress relayAddress() {
    return relay == null ? null : relay.address();
  }

  /// The actors of this node.
  ActorSystem<?> actors() {
    return node.actors();
  }

  /// Where operators look.
  public InetSocketAddress managementAddress() {
    return management.address();
  }

  /// Completes, with the reason in words, when the cluster has given this node up, which the
  /// process cannot go on from; never for a gateway alone.
  public CompletionStage<String> fault() {
    return fault.minimalCompletionStage();
  }

  /// Leaves so that nobody notices: agents link elsewhere, then no new clients are taken, then what
  /// runs goes on to its end or until `gateway.drain.grace` has passed. Completes then; [#close] is
  /// to follow, and may be called at any time. Calling this again does nothing new.
  @Override
  public CompletionStage<Void> drain() {
    drain.tell(new Drain.Begin());
    return whenDrained();
  }

  /// Completes when the node has drained, whoever asked for it.
  @Override
  public CompletionStage<Void> whenDrained() {
    return drained.minimalCompletionStage();
  }

  /// Ends in order: no new agents, links closed with the closing handshake, then everything else.
  @Override
  public void close() throws IOException {
    if (ending) {
      return;
    }
    ending = true;
    if (cluster != null) {
      cluster.announce(NodeState.DRAINING);
    }
    listener.close();
    if (relay != null) {
      AskPattern.<Relay.Command, Relay.Ended>ask(
              relay.actor(), Relay.End::new, GOODBYE, node.actors().scheduler())
          .handle((_, _) -> null)
          .toCompletableFuture()
          .join();
    }
    var gone =
        AskPattern.<LinkSupervisor.Command, LinkSupervisor.Ended>ask(
            supervisor, LinkSupervisor.End::new, GOODBYE, node.actors().scheduler());
    gone.handle((_, _) -> null).toCompletableFuture().join();
    node.close();
    access.close();
    leases.close();
  }

  private static @Nullable Tls managementTls(GatewaySettings settings) {
    var files = settings.management().tls();
    if (files == null) {
      return null;
    }
    return ServerTls.load(
        settings.origins(), "management.tls.cert", files.cert(), files.key(), files.clientCa());
  }

  /// The parts on their way up.
  private record Starting(
      GatewaySettings settings,
      Surroundings surroundings,
      NodeSystem node,
      @Nullable Tls tls,
      LeaseParts leases) {
    Gateway start() throws IOException {
      requirePublicAddress();
      Tls managementTls = managementTls(settings);
      var registry = new PrometheusRegistry();
      var budget = new ByteBudget(settings.windows().processBudget());
      var access = AccessLog.start(settings.logging(), settings.tracing(), "penstock-gateway");
      var meters = new GatewayMeters(registry, budget, access);
      JvmMeters.register(registry);
      var loopMeters = LoopMeters.start(registry, "penstock_gateway", node.loops(), node.actors());
      var leaseMeters = new LeaseMeters(registry);
      var badPeers = new BadPeers(meters);
      var links = new Links(settings.links().maxLinksPerCluster());
      var arrivals =
          new Arrivals(
              settings.links().maxLinksPerCluster(), settings.links().maxHandshakesPerMinute());
      var handshakes =
          new Handshakes(
              settings.links().maxHandshakes(), settings.links().maxHandshakesPerSecond());
      var doors = new PublicDoors();
      var admission = new Admission(settings.publicSide().maxConnections());
      var draining = new AtomicReference<>("");
      var drained = new CompletableFuture<Void>();
      var restored = new CompletableFuture<Void>();
      var listening = new CompletableFuture<Void>();
      var claims = new KubernetesClaims();
      ClusterParts cluster = ClusterParts.join(settings, node, links, claims, registry);
      ClusterNode clusterNode = cluster == null ? null : cluster.node();
      if (clusterNode != null) {
        access.node(clusterNode.nodes().self().id().toString());
      }
      var drainer = new CompletableFuture<ActorRef<Drain.Command>>();
      var tunnelsStarted = new CompletableFuture<ActorRef<Tunnels.Command>>();
      Readiness readiness =
          () -> notReadyBecause(leases, clusterNode, restored, listening, draining.get());
      var bans = new Bans();
      if (clusterNode != null) {
        clusterNode.share(bans);
      }
      var apiMeters = new ApiMeters(registry);
      var manage =
          new GatewayApi(
              new GatewayApi.Setup(
                  node.actors(),
                  clusterNode == null ? null : clusterNode.nodes(),
                  settings.cluster() == null ? null : settings.cluster().name(),
                  readiness::reasons,
                  () -> !draining.get().isEmpty(),
                  meters,
                  registry,
                  apiMeters,
                  links,
                  bans,
                  settings.publicSide().host(),
                  tunnelsStarted,
                  drainer));
      // Before the cluster is found, which may take as long as it likes: it tells how that stands.
      ManagementServer management =
          await(
              "management.listen",
              settings.management().listen(),
              ManagementServer.start(
                  node.actors(),
                  settings.management().listen().resolve(),
                  registry,
                  readiness,
                  new ManagementServer.Entrance(
                      new Guard(settings.management()), managementTls, apiMeters),
                  new ManagementServer.Parts(
                      clusterNode == null ? Map.of() : Map.of("/cluster", clusterNode::status),
                      Map.of(
                          "/drain",
                          () -> {
                            drainer.thenAccept(drain -> drain.tell(new Drain.Begin()));
                            return "draining; /readyz says how far it is";
                          }),
                      Map.of(
                          "/loggers",
                          new LoggerPages(node.actors()),
                          "/reservations",
                          new ReservationPages(
                              node.actors(), tunnelsStarted, settings.leasePolicy())),
                      manage.api())));
      manage.boundAt(management.address());
      probes(registry, readiness);
      leases.awaitStore();
      if (cluster != null) {
        cluster.awaitMembership();
        // Whoever is given up now will not be told the rest of the table: its actors have ended.
        cluster
            .node()
            .ended()
            .thenAccept(why -> restored.completeExceptionally(new IOException(why)));
      }
      LeaseAuthority authority =
          new MeteredLeases(
              leases.start(
                  node.actors(),
                  address -> cluster != null && cluster.isLeaving(address),
                  leaseMeters),
              leaseMeters);
      Surroundings others =
          cluster == null
              ? surroundings
              : cluster.surroundings(linkSettings(), authority::handOver);
      var tunnelShared =
          new Tunnel.Shared(
              node.loops(),
              links,
              doors,
              admission,
              settings.publicSide().proxyProtocol().front(),
              settings.publicSide().access(),
              bans,
              meters,
              badPeers);
      ActorRef<Tunnels.Command> tunnels =
          spawn(
              Tunnels.create(
                  new Tunnels.Setup(
                      tunnelShared,
                      new UdpTunnel.Shared(tunnelShared, settings.udp(), budget),
                      authority,
                      leaseMeters,
                      settings.publicSide().bind(),
                      settings.publicSide().syncGrace(),
                      () -> restored.complete(null))),
              "tunnels",
              DispatcherSelector.blocking());
      tunnelsStarted.complete(tunnels);
      loopMeters.watch("tunnels", tunnels);
      ActorRef<LinkSupervisor.Command> supervisor =
          spawn(
              LinkSupervisor.create(
                  new GatewayLink.Shared(
                      links,
                      arrivals,
                      linkSettings(),
                      settings.links().protocol(),
                      originals(),
                      settings.links().registerTimeout(),
                      GatewayLink.HelloPatience.DEFAULT,
                      settings.publicSide().idleTimeout(),
                      budget,
                      meters,
                      badPeers),
                  others.nodes()),
              "links",
              DispatcherSelector.defaultDispatcher());
      loopMeters.watch("links", supervisor);
      RelayPart relayPart = others.relay();
      RunningRelay relay =
          relayPart == null ? null : relay(relayPart, links, registry, budget, meters, badPeers);
      ActorRef<Drain.Command> drain =
          spawn(
              Drain.create(
                  new Drain.Setup(
                      settings.drain(),
                      handshakes,
                      others.nodes(),
                      supervisor,
                      doors,
                      links.udpSessions(),
                      () ->
                          Math.max(admission.inside(), meters.carried())
                              + (relay == null ? 0 : relay.meters().connections()),
                      others.handOver(),
                      reason -> draining(reason, draining, cluster),
                      drained)),
              "drain",
              DispatcherSelector.defaultDispatcher());
      drainer.complete(drain);
      loopMeters.watch("drain", drain);
      if (relay != null) {
        loopMeters.watch("relay", relay.actor());
      }
      await(restored, RESTORE_TIMEOUT);
      Tcp.Listener listener =
          await(
              "gateway.listen",
              settings.listen(),
              listen(tunnels, supervisor, arrivals, handshakes, claims, meters, badPeers));
      listening.complete(null);
      if (clusterNode != null) {
        clusterNode.announce(NodeState.READY);
      }
      log.atInfo()
          .addKeyValue("listen", listener.address())
          .addKeyValue("management", management.address())
          .addKeyValue("transport", node.loops().transport())
          .log("the gateway is up");
      return new Gateway(
          node,
          leases,
          management,
          listener,
          supervisor,
          drain,
          drained,
          clusterNode,
          relay,
          access);
    }

    /// Health, readiness and metrics for all who reach another address.
    private void probes(PrometheusRegistry registry, Readiness readiness) throws IOException {
      HostPort probes = settings.management().probes();
      if (probes != null) {
        await(
            "management.probes",
            probes,
            ManagementServer.start(node.actors(), probes.resolve(), registry, readiness));
      }
    }

    private static void draining(
        String reason, AtomicReference<String> draining, @Nullable ClusterParts cluster) {
      boolean begins = draining.getAndSet(reason).isEmpty() && !reason.isEmpty();
      if (begins && cluster != null) {
        cluster.node().announce(NodeState.DRAINING);
      }
    }

    private RunningRelay relay(
        RelayPart part,
        Links links,
        PrometheusRegistry registry,
        ByteBudget budget,
        GatewayMeters meters,
        BadPeers badPeers)
        throws IOException {
      var bound = new CompletableFuture<InetSocketAddress>();
      var relayMeters = new RelayMeters(registry);
      ActorRef<Relay.Command> actor =
          spawn(
              Relay.create(
                  new Relay.Setup(
                      part.settings(),
                      part.nodes(),
                      links,
                      node.loops(),
                      settings.publicSide().idleTimeout(),
                      settings.udp().sessionTimeout(),
                      budget,
                      meters,
                      relayMeters,
                      badPeers),
                  bound),
              "relay",
              DispatcherSelector.defaultDispatcher());
      return new RunningRelay(
          actor, await("cluster.relay", part.settings().listen(), bound), relayMeters);
    }

    private static List<String> notReadyBecause(
        LeaseParts leases,
        @Nullable ClusterNode cluster,
        CompletableFuture<Void> restored,
        CompletableFuture<Void> listening,
        String draining) {
      if (!draining.isEmpty()) {
        return List.of(draining);
      }
      if (!leases.notReadyBecause().isEmpty()) {
        return leases.notReadyBecause();
      }
      if (cluster != null && !cluster.notReadyBecause().isEmpty()) {
        return cluster.notReadyBecause();
      }
      if (!restored.isDone()) {
        return List.of("binding the leased ports");
      }
      return listening.isDone() ? List.of() : List.of("binding gateway.listen");
    }

    /// A port that cannot be bound is tried again for ever: an address that is not of this machine
    /// must be noticed before that.
    private void requirePublicAddress() throws IOException {
      String bind = settings.publicSide().bind();
      await(
          "gateway.public.bind",
          bind,
          Tcp.listen(
                  node.loops(),
                  node.loops().get(0),
                  new InetSocketAddress(bind, 0),
                  new Tcp.Acceptor() {
                    @Override
                    public void accepted(TcpConnection connection) {
                      connection.reset();
                    }

                    @Override
                    public void acceptFailed(String why) {}
                  })
              .thenCompose(Tcp.Listener::close));
    }

    private CompletionStage<Tcp.Listener> listen(
        ActorRef<Tunnels.Command> tunnels,
        ActorRef<LinkSupervisor.Command> supervisor,
        Arrivals arrivals,
        Handshakes handshakes,
        KubernetesClaims claims,
        GatewayMeters meters,
        BadPeers badPeers) {
      var clusters = new HashMap<Secret, String>();
      settings.tokens().forEach(token -> clusters.put(token.token(), token.cluster()));
      var tokens = new Tokens(clusters);
      var port =
          new LinkPort(
              tokens,
              settings.linksUrl(),
              arrivals,
              handshakes,
              claims,
              meters,
              badPeers,
              (accepted, connection) ->
                  supervisor.tell(new LinkSupervisor.Connected(accepted, connection)));
      var rest =
          new AgentRest(
              node.actors(), tokens, claims, tunnels, settings.publicSide().host(), badPeers);
      return HttpPort.bind(
          node.actors().classicSystem(),
          node.loops(),
          settings.listen().resolve(),
          tls,
          new WebSocketSettings(
              settings.links().maxTextMessage(),
              settings.links().maxTextMessage(),
              settings.links().handshakeTimeout()),
          port::answer,
          peer -> Flow.of(HttpRequest.class).mapAsync(1, request -> rest.handle(request, peer)),
          (peer, kind, why) ->
              badPeers.rejected(
                  kind.equals(HttpPort.TOO_MANY_UNUPGRADED)
                      ? Rejection.TOO_MANY_UNUPGRADED
                      : Rejection.BAD_HANDSHAKE,
                  peer,
                  kind + ": " + why),
          settings.proxyProtocol().front(),
          settings.links().maxUnupgraded());
    }

    private GatewayLink.Originals originals() {
      return new GatewayLink.Originals(
          settings.links().originalJson() ? Carrier.JSON : Carrier.YAMUX,
          new OriginalPacing(
              settings.links().originalHold(),
              settings.links().originalPause(),
              settings.links().originalLinger(),
              settings.links().originalPatience()),
          settings.links().originalHalfClosed());
    }

    private LinkSettings linkSettings() {
      var yamux = SessionSettings.defaults();
      return new LinkSettings(
          new SessionSettings(
              settings.windows().maxStream(),
              settings.links().maxFrame(),
              yamux.acceptBacklog(),
              yamux.maxStreams(),
              yamux.maxPendingOpens(),
              yamux.maxControlBacklog()),
          settings.links().maxTextMessage(),
          settings.windows().sessionBudget(),
          settings.links().keepaliveInterval(),
          settings.links().keepaliveTimeout(),
          Duration.ofSeconds(10));
    }

    private <T> ActorRef<T> spawn(Behavior<T> behavior, String name, Props props)
        throws IOException {
      return await(
          AskPattern.<SpawnProtocol.Command, ActorRef<T>>ask(
              node.actors(),
              replyTo -> new SpawnProtocol.Spawn<>(behavior, name, props, replyTo),
              START_TIMEOUT,
              node.actors().scheduler()));
    }

    private <T> T await(String key, Object found, CompletionStage<T> stage) throws IOException {
      try {
        return await(stage);
      } catch (IOException e) {
        throw settings.origins().refuseListen(key, found, e.getMessage());
      }
    }

    private static <T> T await(CompletionStage<T> stage) throws IOException {
      return await(stage, START_TIMEOUT);
    }

    private static <T> T await(CompletionStage<T> stage, Duration timeout) throws IOException {
      try {
        return stage.toCompletableFuture().get(timeout.toSeconds(), TimeUnit.SECONDS);
      } catch (ExecutionException | CompletionException e) {
        Throwable cause = e.getCause() == null ? e : e.getCause();
        throw cause instanceof IOException io ? io : new IOException(cause.getMessage(), cause);
      } catch (TimeoutException e) {
        throw new IOException("not started within " + timeout.toSeconds() + " s", e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted", e);
      }
    }
  }
}
