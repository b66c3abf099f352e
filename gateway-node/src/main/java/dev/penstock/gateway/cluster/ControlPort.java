package dev.penstock.gateway.cluster;

import com.typesafe.config.Config;
import dev.penstock.gateway.cluster.ControlScreen.Refusal;
import dev.penstock.gateway.observe.ClusterMeters;
import dev.penstock.gateway.observe.ControlRejection;
import dev.penstock.observe.RateLimitedLog;
import dev.penstock.protocol.net.ConnectionLost;
import dev.penstock.protocol.net.EventLoops;
import dev.penstock.protocol.net.Loop;
import dev.penstock.protocol.net.Tcp;
import dev.penstock.protocol.net.TcpConnection;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.actor.CoordinatedShutdown;
import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.remote.RemoteActorRefProvider;
import org.apache.pekko.remote.artery.ArteryTransport;
import org.apache.pekko.stream.Attributes;
import org.apache.pekko.stream.FlowShape;
import org.apache.pekko.stream.Inlet;
import org.apache.pekko.stream.Materializer;
import org.apache.pekko.stream.Outlet;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.stage.AbstractInHandler;
import org.apache.pekko.stream.stage.AbstractOutHandler;
import org.apache.pekko.stream.stage.GraphStage;
import org.apache.pekko.stream.stage.GraphStageLogic;
import org.apache.pekko.stream.stage.TimerGraphStageLogic;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The port where other nodes' control messages arrive. Pekko's Artery listens behind it, at the
/// loopback address, because by itself it tells nobody of strangers and believes whatever length a
/// message claims to have: here each connection is screened before and, as far as it is in the
/// clear, while it is passed on.
///
/// Bounded: [#MAX_CONNECTIONS] at a time, of which [#MAX_UNPROVEN] may not have shown yet that they
/// are nodes, for [#PATIENCE] at most. A connection that ends without a byte is no fault: that is
/// how other nodes and health checks ask whether anybody listens.
final class ControlPort {
  private static final Logger log = LoggerFactory.getLogger(ControlPort.class);
  private static final Duration PATIENCE = Duration.ofSeconds(5);
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(2);
  private static final int MAX_CONNECTIONS = 4096;
  private static final int MAX_UNPROVEN = 256;
  private static final int LINES_PER_MINUTE = 10;
  private static final String ARTERY = "pekko.remote.artery.";

  private final ActorSystem<?> system;
  private final EventLoops loops;
  private final ClusterMeters meters;
  private final InetSocketAddress behind;
  private final ControlScreen.Language language;
  private final int maxMessage;
  private final AtomicInteger connections = new AtomicInteger();
  private final AtomicInteger unproven = new AtomicInteger();
  private final RateLimitedLog<ControlRejection> rejections =
      new RateLimitedLog<>(ControlRejection.class, LINES_PER_MINUTE);

  private ControlPort(ActorSystem<?> system, EventLoops loops, ClusterMeters meters) {
    this.system = system;
    this.loops = loops;
    this.meters = meters;
    this.behind = behind(system);
    Config config = system.settings().config();
    this.language =
        config.getString(ARTERY + "transport").equals("tls-tcp")
            ? ControlScreen.Language.TLS
            : ControlScreen.Language.CLEAR;
    this.maxMessage =
        (int)
            Math.max(
                config.getBytes(ARTERY + "advanced.maximum-frame-size"),
                config.getBytes(ARTERY + "advanced.maximum-large-frame-size"));
  }

  /// Listens until the system has ended. Blocks until the port is bound.
  ///
  /// @throws IOException with the system's words when it cannot be bound
  static void listen(
      ActorSystem<?> system, EventLoops loops, InetSocketAddress address, ClusterMeters meters)
      throws IOException {
    var port = new ControlPort(system, loops, meters);
    try {
      var listener =
          Tcp.listen(loops, loops.get(0), address, port.new Acceptor())
              .toCompletableFuture()
              .join();
      system.getWhenTerminated().thenRun(listener::close);
    } catch (CompletionException e) {
      throw Tcp.causeOf(e) instanceof IOException failed ? failed : new IOException(e);
    }
  }

  private static InetSocketAddress behind(ActorSystem<?> system) {
    var provider =
        (RemoteActorRefProvider) ((ExtendedActorSystem) system.classicSystem()).provider();
    int port =
        ((ArteryTransport) provider.transport()).bindAddress().address().getPort().orElseThrow();
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
  }

  private final class Acceptor implements Tcp.Acceptor {
    @Override
    public void accepted(TcpConnection connection) {
      var guest = new Guest(connection);
      if (guest.isOneTooMany()) {
        guest.refuse(
            new Refusal(
                ControlRejection.TOO_MANY,
                "connections at a time (expected: at most "
                    + MAX_CONNECTIONS
                    + ", and "
                    + MAX_UNPROVEN
                    + " that have not shown that they are nodes)"));
        return;
      }
      Loop loop = loops.next();
      connection
          .register(loop)
          .whenComplete((_, gone) -> {
            if (gone == null) {
              guest.passOn(loop);
            }
          });
    }

    @Override
    public void acceptFailed(String why) {
      log.atWarn().addKeyValue("cause", why).log("a connection of a node could not be accepted");
    }
  }

  /// One connection. Belongs to its loop once it has one.
  private final class Guest {
    private final TcpConnection connection;
    private final ControlScreen screen = new ControlScreen(language, maxMessage);
    private final long since = System.nanoTime();
    private boolean counted = true;
    private boolean refused;
    private boolean leftByItself;

    Guest(TcpConnection connection) {
      this.connection = connection;
      connections.incrementAndGet();
      unproven.incrementAndGet();
      connection.onClosed(() -> {
        connections.decrementAndGet();
        proven();
      });
    }

    boolean isOneTooMany() {
      return connections.get() > MAX_CONNECTIONS || unproven.get() > MAX_UNPROVEN;
    }

    private void proven() {
      if (counted) {
        counted = false;
        unproven.decrementAndGet();
      }
    }

    void refuse(Refusal refusal) {
      if (!refused) {
        refused = true;
        meters.rejected(refusal.why());
        rejections
            .at(refusal.why(), log.atWarn())
            .addKeyValue("reason", refusal.why())
            .addKeyValue("peerAddress", connection.remoteAddress())
            .addKeyValue("detail", refusal.detail())
            .log("refused a peer of the control port");
      }
      connection.reset();
    }

    void passOn(Loop loop) {
      connection
          .flow()
          .via(new Screening(this))
          .via(
              Flow.lazyCompletionStageFlow(() ->
                  Tcp.connect(
                          loops,
                          loop,
                          behind.getAddress().getHostAddress(),
                          behind.getPort(),
                          CONNECT_TIMEOUT)
                      .thenApply(TcpConnection::flow)))
          .watchTermination((_, ended) -> ended.whenComplete((_, _) -> leftByArtery()))
          .join(Flow.<ByteBuffer>create())
          .withAttributes(loop.attributes())
          .run(Materializer.matFromSystem(system));
    }

    /// Returns whether the bytes may go on.
    boolean read(ByteBuffer bytes) {
      boolean before = screen.isProven();
      var refusal = screen.read(bytes);
      if (refusal.isPresent()) {
        refuse(refusal.get());
        return false;
      }
      if (!before && screen.isProven()) {
        proven();
      }
      return true;
    }

    void left() {
      leftByItself = true;
      if (!screen.isProven() && !screen.isEmpty()) {
        refuse(
            screen.unfinished(
                language == ControlScreen.Language.TLS
                    ? ControlRejection.NOT_AUTHENTICATED
                    : ControlRejection.FOREIGN));
      }
    }

    boolean isLate() {
      return !screen.isProven();
    }

    void late() {
      refuse(screen.unfinished(ControlRejection.TIMED_OUT));
    }

    /// Artery tells nobody why. In the clear it is not for what the peer sent, which was screened;
    /// with TLS, and so soon, it is.
    private void leftByArtery() {
      boolean soon = System.nanoTime() - since < PATIENCE.toNanos();
      boolean ending = CoordinatedShutdown.get(system).getShutdownReason().isPresent();
      if (language == ControlScreen.Language.TLS
          && soon
          && !leftByItself
          && !ending
          && !screen.isEmpty()) {
        refuse(
            new Refusal(
                ControlRejection.NOT_AUTHENTICATED,
                "no TLS came about (expected: TLS 1.3 with a certificate of cluster.tls.ca)"));
      }
    }
  }

  /// Passes bytes on as long as they are a node's.
  private static final class Screening extends GraphStage<FlowShape<ByteBuffer, ByteBuffer>> {
    private final Guest guest;
    private final Inlet<ByteBuffer> in = Inlet.create("screening.in");
    private final Outlet<ByteBuffer> out = Outlet.create("screening.out");

    Screening(Guest guest) {
      this.guest = guest;
    }

    @Override
    public FlowShape<ByteBuffer, ByteBuffer> shape() {
      return FlowShape.of(in, out);
    }

    @Override
    public GraphStageLogic createLogic(Attributes attributes) {
      return new TimerGraphStageLogic(shape()) {
        {
          setHandler(
              in,
              new AbstractInHandler() {
                @Override
                public void onPush() {
                  ByteBuffer bytes = grab(in);
                  if (guest.read(bytes.duplicate())) {
                    push(out, bytes);
                  } else {
                    failStage(new ConnectionLost("refused"));
                  }
                }

                @Override
                public void onUpstreamFinish() {
                  guest.left();
                  completeStage();
                }

                @Override
                public void onUpstreamFailure(Throwable lost) {
                  guest.left();
                  failStage(lost);
                }
              });
          setHandler(
              out,
              new AbstractOutHandler() {
                @Override
                public void onPull() {
                  pull(in);
                }
              });
        }

        @Override
        public void preStart() {
          scheduleOnce("late", PATIENCE);
        }

        @Override
        public void onTimer(Object key) {
          if (guest.isLate()) {
            guest.late();
            failStage(new ConnectionLost("timed out"));
          }
        }
      };
    }
  }
}
