package dev.penstock.gateway;

import dev.penstock.config.Secret;
import dev.penstock.gateway.auth.Tokens;
import dev.penstock.gateway.leases.DatabaseLeaseStore;
import dev.penstock.gateway.leases.LeaseStore;
import dev.penstock.gateway.leases.Leases;
import dev.penstock.gateway.leases.LocalLeases;
import dev.penstock.gateway.links.Arrivals;
import dev.penstock.gateway.links.GatewayLink;
import dev.penstock.gateway.links.LinkPort;
import dev.penstock.gateway.links.LinkSupervisor;
import dev.penstock.gateway.links.Links;
import dev.penstock.gateway.observe.BadPeers;
import dev.penstock.gateway.observe.GatewayMeters;
import dev.penstock.gateway.observe.Rejection;
import dev.penstock.gateway.rest.AgentRest;
import dev.penstock.gateway.tunnels.Tunnel;
import dev.penstock.gateway.tunnels.Tunnels;
import dev.penstock.gateway.tunnels.UdpTunnel;
import dev.penstock.management.JvmMeters;
import dev.penstock.management.ManagementServer;
import dev.penstock.node.Admission;
import dev.penstock.node.NodeSystem;
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
import java.util.HashMap;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.pekko.actor.typed.ActorRef;
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
public final class Gateway implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Gateway.class);
  private static final Duration START_TIMEOUT = Duration.ofSeconds(30);

  /// For binding the ports of all tunnels, of which there may be tens of thousands.
  private static final Duration RESTORE_TIMEOUT = Duration.ofMinutes(5);

  private static final Duration GOODBYE = Duration.ofMillis(300);

  private final NodeSystem node;
  private final LeaseStore store;
  private final ManagementServer management;
  private final Tcp.Listener listener;
  private final ActorRef<LinkSupervisor.Command> supervisor;
  private volatile boolean ending;

  private Gateway(
      NodeSystem node,
      LeaseStore store,
      ManagementServer management,
      Tcp.Listener listener,
      ActorRef<LinkSupervisor.Command> supervisor) {
    this.node = node;
    this.store = store;
    this.management = management;
    this.listener = listener;
    this.supervisor = supervisor;
  }

  /// Starts a gateway; returns when it accepts agents and clients.
  ///
  /// @throws dev.penstock.config.ConfigException a port is taken or a certificate cannot be used
  /// @throws IOException the data directory cannot be used
  public static Gateway start(GatewaySettings settings) throws IOException {
    Tls tls = tls(settings);
    var store = DatabaseLeaseStore.open(settings.dataDir());
    NodeSystem node = null;
    try {
      var leases = Leases.open(store, settings.leasePolicy());
      leases.warnings().forEach(log::warn);
      node = NodeSystem.start("gateway", settings.eventLoops());
      return new Starting(settings, node, tls, store, leases).start();
    } catch (IOException | RuntimeException e) {
      if (node != null) {
        node.close();
      }
      store.close();
      throw e;
    }
  }

  private static @Nullable Tls tls(GatewaySettings settings) {
    var files = settings.tls();
    if (files == null) {
      return null;
    }
    try {
      return Tls.load(
          Tls.Side.SERVER,
          new Tls.Pem(files.cert(), files.key(), files.clientCa(), Tls.Trust.VERIFIED));
    } catch (IOException e) {
      throw settings
          .origins()
          .refuse(
              "gateway.tls.cert",
              files.cert(),
              "a certificate and key that fit: " + e.getMessage());
    }
  }

  /// Where agents arrive.
  public InetSocketAddress address() {
    return listener.address();
  }

  /// Where operators look.
  public InetSocketAddress managementAddress() {
    return management.address();
  }

  /// Ends in order: no new agents, links closed with the closing handshake, then everything else.
  @Override
  public void close() throws IOException {
    if (ending) {
      return;
    }
    ending = true;
    listener.close();
    var gone =
        AskPattern.<LinkSupervisor.Command, LinkSupervisor.Ended>ask(
            supervisor, LinkSupervisor.End::new, GOODBYE, node.actors().scheduler());
    gone.handle((_, _) -> null).toCompletableFuture().join();
    node.close();
    store.close();
  }

  /// The parts on their way up.
  private record Starting(
      GatewaySettings settings,
      NodeSystem node,
      @Nullable Tls tls,
      LeaseStore store,
      Leases leases) {
    Gateway start() throws IOException {
      var registry = new PrometheusRegistry();
      var budget = new ByteBudget(settings.windows().processBudget());
      var meters = new GatewayMeters(registry, budget);
      JvmMeters.register(registry);
      var badPeers = new BadPeers(meters);
      var links = new Links(settings.links().maxLinksPerCluster());
      var arrivals =
          new Arrivals(
              settings.links().maxLinksPerCluster(), settings.links().maxHandshakesPerMinute());
      var restored = new CompletableFuture<Void>();
      var listening = new CompletableFuture<Void>();
      requirePublicAddress();
      var tunnelShared =
          new Tunnel.Shared(
              node.loops(),
              links,
              new Admission(settings.publicSide().maxConnections()),
              settings.publicSide().proxyProtocol().front(),
              settings.publicSide().access(),
              meters,
              badPeers);
      ActorRef<Tunnels.Command> tunnels =
          spawn(
              Tunnels.create(
                  new Tunnels.Setup(
                      tunnelShared,
                      new UdpTunnel.Shared(tunnelShared, settings.udp(), budget),
                      new LocalLeases(leases),
                      settings.publicSide().bind(),
                      settings.publicSide().syncGrace(),
                      () -> restored.complete(null))),
              "tunnels",
              DispatcherSelector.blocking());
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
                      badPeers)),
              "links",
              DispatcherSelector.defaultDispatcher());
      ManagementServer management =
          await(
              "management.listen",
              settings.management(),
              ManagementServer.start(
                  node.actors(),
                  settings.management().resolve(),
                  registry,
                  () -> notReadyBecause(restored, listening)));
      await(restored, RESTORE_TIMEOUT);
      Tcp.Listener listener =
          await(
              "gateway.listen",
              settings.listen(),
              listen(tunnels, supervisor, arrivals, meters, badPeers));
      listening.complete(null);
      log.atInfo()
          .addKeyValue("listen", listener.address())
          .addKeyValue("management", management.address())
          .addKeyValue("transport", node.loops().transport())
          .addKeyValue("tunnels", leases.tunnels().size())
          .log("the gateway is up");
      return new Gateway(node, store, management, listener, supervisor);
    }

    private static List<String> notReadyBecause(
        CompletableFuture<Void> restored, CompletableFuture<Void> listening) {
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
              meters,
              badPeers,
              (accepted, connection) ->
                  supervisor.tell(new LinkSupervisor.Connected(accepted, connection)));
      var rest =
          new AgentRest(node.actors(), tokens, tunnels, settings.publicSide().host(), badPeers);
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
          (peer, kind, why) -> badPeers.rejected(Rejection.BAD_HANDSHAKE, peer, kind + ": " + why),
          settings.proxyProtocol().front());
    }

    private GatewayLink.Originals originals() {
      var usual = OriginalPacing.defaults();
      return new GatewayLink.Originals(
          settings.links().originalJson() ? Carrier.JSON : Carrier.YAMUX,
          new OriginalPacing(
              settings.links().originalHold(),
              settings.links().originalPause(),
              usual.linger(),
              usual.patience()));
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
        throw settings
            .origins()
            .refuse(
                key,
                found,
                "an address of this machine with a free port; the system says: " + e.getMessage());
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
