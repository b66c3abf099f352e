package dev.penstock.gateway.tunnels;

import dev.penstock.access.AccessRules;
import dev.penstock.gateway.leases.Transport;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.links.Client;
import dev.penstock.gateway.links.Links;
import dev.penstock.gateway.links.NotCarried;
import dev.penstock.gateway.links.Service;
import dev.penstock.gateway.links.Way;
import dev.penstock.gateway.observe.BadPeers;
import dev.penstock.gateway.observe.ClientRefusal;
import dev.penstock.gateway.observe.GatewayMeters;
import dev.penstock.gateway.sources.Bans;
import dev.penstock.gateway.sources.SourceGuard;
import dev.penstock.gateway.sources.Verdict;
import dev.penstock.node.Admission;
import dev.penstock.observe.Passage;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.net.EventLoops;
import dev.penstock.protocol.net.Loop;
import dev.penstock.protocol.net.ProxyFront;
import dev.penstock.protocol.net.Tcp;
import dev.penstock.protocol.net.TcpConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One exposed service: its public listener, and which link each of its clients goes to. Runs on
/// the loop of its listener. A client that no agent can serve is reset at once.
public final class Tunnel {
  /// What a tunnel can be told.
  public sealed interface Command {}

  /// The service was registered again, perhaps with other service.
  public record Update(Service service) implements Command {}

  /// The port is to be free again. Clients that were accepted stay.
  public record End() implements Command {}

  /// Take no new client; those that were taken stay.
  record CloseDoor() implements Command {}

  private record Stop() implements Command {}

  private record GivenBack(NotCarried client) implements Command {}

  private record Accepted(TcpConnection connection, long at) implements Command {}

  private record NotAccepted(InetSocketAddress peer, ProxyFront.Refusal why) implements Command {}

  private record AcceptFailed(String why) implements Command {}

  private record Listening(Tcp.Listener listener) implements Command {}

  private record NotListening(Throwable why) implements Command {}

  /// What became of the port.
  public sealed interface Bound {
    /// Whose port.
    ActorRef<Command> tunnel();

    TunnelIdentity identity();

    record Listens(ActorRef<Command> tunnel, TunnelIdentity identity, InetSocketAddress address)
        implements Bound {}

    /// The tunnel has stopped.
    record Failed(ActorRef<Command> tunnel, TunnelIdentity identity, Obstacle obstacle, String why)
        implements Bound {}

    /// The port is free, after [End].
    record Closed(ActorRef<Command> tunnel, TunnelIdentity identity, Transport transport, int port)
        implements Bound {}
  }

  /// Why a port could not be bound.
  public enum Obstacle {
    /// Another program has it.
    IN_USE,
    /// Another port would fare no better: no file descriptor is left, or no permission is given.
    SYSTEM
  }

  /// What the tunnels of one gateway share.
  ///
  /// @param front who may say for whom it connects
  /// @param access bounds of every tunnel's own rules
  /// @param bans sources that no tunnel serves
  public record Shared(
      EventLoops loops,
      Links links,
      PublicDoors doors,
      Admission admission,
      ProxyFront front,
      AccessRules access,
      Bans bans,
      GatewayMeters meters,
      BadPeers badPeers) {}

  private static final Logger log = LoggerFactory.getLogger(Tunnel.class);

  /// How long a tunnel without a port goes on taking back clients that no agent could serve: longer
  /// than any agent tries to reach a service.
  private static final Duration LINGER = Duration.ofMinutes(15);

  private final ActorContext<Command> context;
  private final Shared shared;
  private final Loop loop;
  private final InetSocketAddress address;
  private final ActorRef<NotCarried> givenBack;
  private final SourceGuard sources;
  private Service service;
  private Tcp.@Nullable Listener listener;
  private boolean binding = true;
  private boolean ended;

  private Tunnel(
      ActorContext<Command> context,
      Shared shared,
      Loop loop,
      InetSocketAddress address,
      Service service) {
    this.context = context;
    this.shared = shared;
    this.loop = loop;
    this.address = address;
    this.service = service;
    this.sources =
        new SourceGuard(shared.access(), service.access(), shared.meters()::sourceForgotten);
    this.givenBack = context.messageAdapter(NotCarried.class, GivenBack::new);
  }

  /// A tunnel that starts to listen at once.
  ///
  /// @param loop where the tunnel must run
  /// @param bound gets one answer, and one more after [End]
  public static Behavior<Command> create(
      Shared shared, Loop loop, InetSocketAddress address, Service service, ActorRef<Bound> bound) {
    return Behaviors.setup(context -> {
      var tunnel = new Tunnel(context, shared, loop, address, service);
      tunnel.listen();
      return Behaviors.receive(Command.class)
          .onAnyMessage(command -> tunnel.on(command, bound))
          .onSignal(PostStop.class, _ -> tunnel.stopped())
          .build();
    });
  }

  private void listen() {
    ActorRef<Command> self = context.getSelf();
    var listening =
        Tcp.listen(
            shared.loops(),
            loop,
            address,
            shared.front(),
            new Tcp.FrontedAcceptor() {
              @Override
              public void accepted(TcpConnection connection) {
                self.tell(new Accepted(connection, System.nanoTime()));
              }

              @Override
              public void refused(InetSocketAddress peer, ProxyFront.Refusal why) {
                self.tell(new NotAccepted(peer, why));
              }

              @Override
              public void acceptFailed(String why) {
                self.tell(new AcceptFailed(why));
              }
            });
    context.pipeToSelf(
        listening,
        (bound, failed) -> failed == null ? new Listening(bound) : new NotListening(failed));
  }

  private Behavior<Command> on(Command command, ActorRef<Bound> bound) {
    return switch (command) {
      case Accepted(var connection, long at) -> {
        accept(connection, at);
        yield Behaviors.same();
      }
      case GivenBack(NotCarried(var client, var why)) -> {
        notCarried(client, why);
        yield Behaviors.same();
      }
      case Update(var newService) -> {
        service = newService;
        sources.rules(newService.access());
        yield Behaviors.same();
      }
      case NotAccepted(var peer, var why) -> {
        notAccepted(peer, why);
        yield Behaviors.same();
      }
      case AcceptFailed(var why) -> {
        shared.meters().clientRefused(ClientRefusal.ACCEPT_FAILED);
        log.atWarn()
            .addKeyValue("port", address.getPort())
            .addKeyValue("cause", why)
            .log("accept failed");
        yield Behaviors.same();
      }
      case Listening(var now) -> {
        binding = false;
        listener = now;
        shared.meters().tunnelBound();
        if (ended) {
          close(bound);
        } else {
          bound.tell(new Bound.Listens(context.getSelf(), service.identity(), now.address()));
          shared.doors().opened(context.getSelf());
        }
        yield Behaviors.same();
      }
      case NotListening(var why) -> {
        bound.tell(ended ? closed() : failed(String.valueOf(why.getMessage())));
        yield Behaviors.stopped();
      }
      case End() -> {
        ended = true;
        if (!binding) {
          close(bound);
        }
        yield Behaviors.same();
      }
      case CloseDoor() -> {
        closeListener();
        yield Behaviors.same();
      }
      case Stop() -> Behaviors.stopped();
    };
  }

  private void close(ActorRef<Bound> bound) {
    Bound closed = closed();
    closeListener().thenRun(() -> bound.tell(closed));
    context.scheduleOnce(LINGER, context.getSelf(), new Stop());
  }

  private Bound failed(String why) {
    return failed(context.getSelf(), service.identity(), why);
  }

  static Bound failed(ActorRef<Command> tunnel, TunnelIdentity identity, String why) {
    return new Bound.Failed(
        tunnel, identity, why.contains("in use") ? Obstacle.IN_USE : Obstacle.SYSTEM, why);
  }

  private Bound closed() {
    return new Bound.Closed(
        context.getSelf(), service.identity(), Transport.TCP, address.getPort());
  }

  private CompletionStage<Void> closeListener() {
    Tcp.Listener open = listener;
    if (open == null) {
      return CompletableFuture.completedFuture(null);
    }
    listener = null;
    shared.meters().tunnelUnbound();
    return open.close();
  }

  private void accept(TcpConnection connection, long at) {
    var client =
        new Client(
            connection,
            service,
            givenBack,
            List.of(),
            Set.of(),
            at,
            System.nanoTime(),
            shared.meters().access().trace());
    InetAddress source = connection.remoteAddress().getAddress();
    if (shared.bans().contains(source)) {
      refuse(client, ClientRefusal.SOURCE_BANNED, "by an operator");
      return;
    }
    Verdict verdict = sources.admit(source, System.nanoTime());
    ClientRefusal refusal = verdict.refusal();
    if (refusal != null) {
      refuse(client, refusal, "by access rules");
      return;
    }
    if (!shared.admission().enter()) {
      sources.released(source, System.nanoTime());
      refuse(client, ClientRefusal.TOO_MANY_CONNECTIONS, "gateway.public.max_connections are open");
      return;
    }
    connection.onClosed(() -> {
      shared.admission().leave();
      sources.released(source, System.nanoTime());
    });
    give(client, null);
  }

  private void notAccepted(InetSocketAddress peer, ProxyFront.Refusal why) {
    ClientRefusal refusal =
        switch (why) {
          case UNTRUSTED -> ClientRefusal.PROXY_UNTRUSTED;
          case MISSING -> ClientRefusal.PROXY_MISSING;
          case MALFORMED -> ClientRefusal.PROXY_MALFORMED;
          case TIMED_OUT -> ClientRefusal.PROXY_TIMED_OUT;
          case TOO_MANY -> ClientRefusal.PROXY_TOO_MANY;
          case GONE -> ClientRefusal.GONE;
        };
    if (refusal == ClientRefusal.GONE) {
      // A proxy that looks whether somebody listens, every other second: nothing to write home of.
      shared.meters().clientRefused(refusal);
    } else {
      shared
          .badPeers()
          .clientRefused(refusal, service.identity(), peer, "by gateway.public.proxy_protocol");
    }
  }

  private void notCarried(Client client, DialStatus why) {
    give(client, why);
  }

  /// Gives the client to the best way that was not tried yet.
  private void give(Client client, @Nullable DialStatus last) {
    if (service.servicePort() == 0) {
      refuse(client, ClientRefusal.NO_SERVICE, "no route leads from the listener yet");
      return;
    }
    Way way =
        shared
            .links()
            .choose(service.identity().cluster(), client.tried(), ThreadLocalRandom.current());
    if (way == null) {
      if (last == null) {
        refuse(client, ClientRefusal.NO_LINK, "no agent of the cluster is linked");
      } else {
        refuse(client, ClientRefusal.DIAL_FAILED, last.code().label() + ": " + last.text());
      }
      return;
    }
    client
        .connection()
        .register(way.loop())
        .whenComplete((_, gone) -> {
          if (gone == null) {
            way.carry(client);
          } else {
            way.released();
            shared.meters().clientRefused(ClientRefusal.GONE);
            tellRefused(client, ClientRefusal.GONE, "it left while it waited for its link");
          }
        });
  }

  private void refuse(Client client, ClientRefusal why, String detail) {
    shared
        .badPeers()
        .clientRefused(why, service.identity(), client.connection().remoteAddress(), detail);
    tellRefused(client, why, detail);
    client.connection().reset();
  }

  private void tellRefused(Client client, ClientRefusal why, String detail) {
    if (shared.meters().access().isOn()) {
      shared
          .meters()
          .access()
          .write(
              client.passage(Passage.Kind.REFUSED, "").with("cause", why).with("detail", detail));
    }
  }

  private Behavior<Command> stopped() {
    shared.doors().gone(context.getSelf());
    closeListener();
    return Behaviors.same();
  }
}
