package dev.penstock.gateway.relay;

import dev.penstock.gateway.links.Links;
import dev.penstock.gateway.links.RemoteWays;
import dev.penstock.gateway.observe.BadPeers;
import dev.penstock.gateway.observe.GatewayMeters;
import dev.penstock.gateway.observe.RelayMeters;
import dev.penstock.gateway.observe.RelayRejection;
import dev.penstock.observe.RateLimitedLog;
import dev.penstock.protocol.net.BareConnection;
import dev.penstock.protocol.net.BareLinks;
import dev.penstock.protocol.net.EventLoops;
import dev.penstock.protocol.net.Loop;
import dev.penstock.protocol.net.Preface;
import dev.penstock.protocol.net.PrefaceFailed;
import dev.penstock.protocol.net.Tcp;
import dev.penstock.protocol.yamux.ByteBudget;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The parent of all relay links of this node, to others and from them: a link that fails is
/// stopped and concerns no other. It listens for the other nodes, and has [Links] reach agents over
/// them.
public final class Relay {
  /// What this actor is told.
  public sealed interface Command {}

  /// The gateway ends: take no more relay links, close those of other nodes, and tell when that is
  /// under way. The links to others go on until their clients are gone or the node ends.
  public record End(ActorRef<Ended> replyTo) implements Command {}

  /// The port is free, and other nodes' links are being closed.
  public record Ended() {}

  /// For the link of a slot that has no actor.
  record ToLink(RelaySlot slot, RelayLink.Command command) implements Command {}

  private record Accepted(BareConnection connection, RelayPreface.Peer peer) implements Command {}

  private record Listening(Tcp.Listener listener) implements Command {}

  private record Closed() implements Command {}

  private record NotListening(Throwable why) implements Command {}

  /// What the relay has in common with the rest of the gateway.
  ///
  /// @param clientIdleTimeout without bytes either way, after which a client is cut; zero for never
  /// @param udpTimeout without a datagram either way, after which a flow is over
  public record Setup(
      RelaySettings settings,
      RemoteNodes nodes,
      Links links,
      EventLoops loops,
      Duration clientIdleTimeout,
      Duration udpTimeout,
      ByteBudget budget,
      GatewayMeters gatewayMeters,
      RelayMeters meters,
      BadPeers badPeers) {}

  private static final Logger log = LoggerFactory.getLogger(Relay.class);
  private static final int LINES_PER_MINUTE = 10;

  private final ActorContext<Command> context;
  private final Shared shared;
  private final Set<ActorRef<RelayPeer.Command>> peers = new HashSet<>();
  private Tcp.@Nullable Listener listener;
  private @Nullable ActorRef<Ended> ending;

  private Relay(ActorContext<Command> context, Shared shared) {
    this.context = context;
    this.shared = shared;
  }

  /// A relay that starts to listen at once.
  ///
  /// @param listening completes with the bound address, or fails with `java.net.BindException`
  public static Behavior<Command> create(
      Setup setup, CompletableFuture<InetSocketAddress> listening) {
    return Behaviors.setup(context -> {
      var shared = new Shared(setup, context.getSelf());
      var relay = new Relay(context, shared);
      relay.listen(listening);
      setup.links().reachOver(shared.ways());
      return Behaviors.receive(Command.class)
          .onAnyMessage(relay::on)
          .onSignal(
              Terminated.class,
              ended -> {
                relay.peers.remove(ended.getRef().<RelayPeer.Command>unsafeUpcast());
                return Behaviors.same();
              })
          .onSignal(PostStop.class, _ -> relay.stopped())
          .build();
    });
  }

  private void listen(CompletableFuture<InetSocketAddress> bound) {
    ActorRef<Command> self = context.getSelf();
    RelaySettings settings = shared.settings();
    var tls = settings.tls();
    var listening =
        BareLinks.listen(
            shared.loops(),
            settings.listen(),
            tls == null ? null : tls.server(),
            settings.limits().handshakeTimeout(),
            settings.limits().pendingHandshakes(),
            new Acceptor(shared, self));
    listening.whenComplete((now, failed) -> {
      if (failed == null) {
        bound.complete(now.address());
      } else {
        bound.completeExceptionally(Tcp.causeOf(failed));
      }
    });
    context.pipeToSelf(
        listening, (now, failed) -> failed == null ? new Listening(now) : new NotListening(failed));
  }

  private record Acceptor(Shared shared, ActorRef<Command> relay)
      implements BareLinks.Acceptor<RelayPreface.Peer> {
    @Override
    public Preface<RelayPreface.Peer> preface(InetSocketAddress peer) {
      return new RelayPreface.Called(
          shared.self(),
          shared.random(),
          shared::admit,
          (why, detail) -> shared.rejected(why, peer, detail));
    }

    /// Moves the connection to the loop that the other node wants it on.
    @Override
    public void accepted(BareConnection connection, RelayPreface.Peer peer) {
      connection.onClosed(() -> shared.left(peer.node()));
      Loop loop = shared.loops().get(peer.loop());
      connection
          .register(loop)
          .whenComplete((_, gone) -> {
            if (gone == null) {
              relay.tell(new Accepted(connection, peer));
            }
          });
    }

    @Override
    public void refused(InetSocketAddress peer, PrefaceFailed why) {
      RelayRejection rejection =
          switch (why.kind()) {
            case FOREIGN -> RelayRejection.FOREIGN;
            case TOO_LONG -> RelayRejection.TOO_LONG;
            case TIMED_OUT -> RelayRejection.TIMED_OUT;
            case TOO_MANY -> RelayRejection.TOO_MANY_HANDSHAKES;
            case LOST -> RelayRejection.LOST;
            // Told by the preface, which knows why.
            case REFUSED -> null;
          };
      if (rejection != null) {
        shared.rejected(rejection, peer, String.valueOf(why.getMessage()));
      }
    }
  }

  private Behavior<Command> on(Command command) {
    switch (command) {
      case ToLink(var slot, var forLink) -> toLink(slot, forLink);
      case Accepted(var connection, var peer) -> {
        ActorRef<RelayPeer.Command> link =
            context.spawnAnonymous(
                RelayPeer.create(shared, peer, connection),
                DispatcherSelector.fromConfig(shared.loops().get(peer.loop()).dispatcher()));
        peers.add(link);
        context.watch(link);
        if (ending != null) {
          link.tell(new RelayPeer.GoAway());
        }
      }
      case Listening(var now) -> {
        listener = now;
        log.atInfo()
            .addKeyValue("listen", now.address())
            .addKeyValue("tls", shared.settings().tls() != null)
            .log("the relay is up");
        if (ending != null) {
          closeListener();
        }
      }
      case NotListening(var why) ->
          log.atError()
              .addKeyValue("listen", shared.settings().listen())
              .addKeyValue("cause", why.getMessage())
              .log("the relay port cannot be bound");
      case End(var replyTo) -> {
        ending = replyTo;
        closeListener();
      }
      case Closed() -> {
        peers.forEach(link -> link.tell(new RelayPeer.GoAway()));
        if (ending != null) {
          ending.tell(new Ended());
        }
      }
    }
    return Behaviors.same();
  }

  private void closeListener() {
    Tcp.Listener open = listener;
    listener = null;
    CompletionStage<Void> closed =
        open == null ? CompletableFuture.completedFuture(null) : open.close();
    context.pipeToSelf(closed, (_, _) -> new Closed());
  }

  private void toLink(RelaySlot slot, RelayLink.Command command) {
    ActorRef<RelayLink.Command> link = slot.actor();
    if (link == null) {
      link =
          context.spawnAnonymous(
              RelayLink.create(shared, slot),
              DispatcherSelector.fromConfig(slot.loop().dispatcher()));
      slot.actor(link);
    }
    link.tell(command);
  }

  private Behavior<Command> stopped() {
    shared.links().reachOver(RemoteWays.NONE);
    if (listener != null) {
      listener.close();
    }
    return Behaviors.same();
  }

  /// What the relay's links share. Safe for use by several threads.
  static final class Shared {
    private final Setup setup;
    private final RelayWays ways;
    private final RelayPreface.Self self;
    private final SecureRandom random = new SecureRandom();
    private final ConcurrentHashMap<String, Integer> linksOf = new ConcurrentHashMap<>();
    private final RateLimitedLog<RelayRejection> rejections =
        new RateLimitedLog<>(RelayRejection.class, LINES_PER_MINUTE);
    private final RateLimitedLog<RelayMeters.End> connects =
        new RateLimitedLog<>(RelayMeters.End.class, LINES_PER_MINUTE);

    Shared(Setup setup, ActorRef<Command> relay) {
      this.setup = setup;
      this.ways = new RelayWays(setup.nodes(), setup.loops(), relay, setup.meters());
      this.self =
          new RelayPreface.Self(
              setup.settings().clusterName(),
              setup.settings().node(),
              setup.loops().size(),
              setup.settings().secret());
    }

    RelaySettings settings() {
      return setup.settings();
    }

    RelayWays ways() {
      return ways;
    }

    RelayPreface.Self self() {
      return self;
    }

    Links links() {
      return setup.links();
    }

    EventLoops loops() {
      return setup.loops();
    }

    ByteBudget budget() {
      return setup.budget();
    }

    GatewayMeters gatewayMeters() {
      return setup.gatewayMeters();
    }

    RelayMeters meters() {
      return setup.meters();
    }

    BadPeers badPeers() {
      return setup.badPeers();
    }

    Duration clientIdleTimeout() {
      return setup.clientIdleTimeout();
    }

    Duration udpTimeout() {
      return setup.udpTimeout();
    }

    byte[] random() {
      var bytes = new byte[RelayPreface.RANDOM_BYTES];
      random.nextBytes(bytes);
      return bytes;
    }

    /// Gives a node that has proved itself one link more, or says why not.
    Optional<String> admit(String node) {
      int most = setup.settings().limits().linksPerNode();
      int now = linksOf.merge(node, 1, Integer::sum);
      if (now <= most) {
        return Optional.empty();
      }
      left(node);
      return Optional.of("links of this node: " + most + " are open (expected: no more)");
    }

    void left(String node) {
      linksOf.computeIfPresent(node, (_, links) -> links == 1 ? null : links - 1);
    }

    void rejected(RelayRejection why, @Nullable InetSocketAddress peer, String detail) {
      setup.meters().rejected(why);
      rejections
          .at(why, log.atWarn())
          .addKeyValue("reason", why)
          .addKeyValue("peerAddress", peer)
          .addKeyValue("detail", detail)
          .log("refused a peer of the relay port");
    }

    void connectFailed(RemoteNodes.RemoteNode node, String why) {
      connects
          .at(RelayMeters.End.OUT, log.atWarn())
          .addKeyValue("node", node.id())
          .addKeyValue("nodeAddress", node.relay())
          .addKeyValue("cause", why)
          .log("a relay link did not come up");
    }
  }
}
