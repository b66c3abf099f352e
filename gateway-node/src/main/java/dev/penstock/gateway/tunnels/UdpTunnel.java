package dev.penstock.gateway.tunnels;

import dev.penstock.gateway.leases.Transport;
import dev.penstock.gateway.links.Service;
import dev.penstock.protocol.net.Loop;
import dev.penstock.protocol.net.Tcp;
import dev.penstock.protocol.net.Udp;
import dev.penstock.protocol.net.UdpSocket;
import dev.penstock.protocol.yamux.ByteBudget;
import java.net.InetSocketAddress;
import java.time.Duration;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/// One exposed UDP service: the life of its public port. Runs on the loop of the port, and so may
/// look after the [UdpFlows] that receive there without a message for each datagram.
public final class UdpTunnel {
  /// What a tunnel is told.
  private sealed interface Command {}

  private record Update(Service service) implements Command {}

  private record Listening(UdpSocket socket) implements Command {}

  private record NotListening(Throwable why) implements Command {}

  private record Tick() implements Command {}

  private record End() implements Command {}

  private record Closed() implements Command {}

  private record CloseDoor() implements Command {}

  /// What the UDP tunnels of one gateway share.
  ///
  /// @param budget bytes that all flows' queues together may hold
  public record Shared(Tunnel.Shared common, UdpSettings settings, ByteBudget budget) {}

  private static final Duration TICK = Duration.ofSeconds(1);

  private final ActorContext<Command> context;
  private final Shared shared;
  private final InetSocketAddress address;
  private final UdpFlows flows;
  private final Teller teller;
  private Service service;
  private boolean binding = true;
  private boolean bound;
  private boolean ended;

  private UdpTunnel(
      ActorContext<Command> context,
      Shared shared,
      Loop loop,
      InetSocketAddress address,
      Service service,
      Teller teller) {
    this.context = context;
    this.teller = teller;
    this.shared = shared;
    this.address = address;
    this.service = service;
    this.flows = new UdpFlows(shared, loop, service);
  }

  /// A tunnel that binds its port at once; of [Tunnel]'s commands it takes [Tunnel.Update],
  /// [Tunnel.CloseDoor], after which only flows that run go on, and [Tunnel.End], which ends its
  /// flows too: their answers could not leave from the port any more.
  ///
  /// @param loop where the tunnel must run
  /// @param bound gets one answer, and one more after [Tunnel.End]
  public static Behavior<Tunnel.Command> create(
      Shared shared,
      Loop loop,
      InetSocketAddress address,
      Service service,
      ActorRef<Tunnel.Bound> bound) {
    return Behaviors.setup(outer ->
        Behaviors.transformMessages(
            Tunnel.Command.class,
            behavior(shared, loop, address, service, new Teller(outer.getSelf(), bound)),
            builder ->
                builder
                    .match(Tunnel.Update.class, update -> new Update(update.service()))
                    .match(Tunnel.CloseDoor.class, _ -> new CloseDoor())
                    .match(Tunnel.End.class, _ -> new End())));
  }

  /// Who is told of the port, and in whose name.
  private record Teller(ActorRef<Tunnel.Command> tunnel, ActorRef<Tunnel.Bound> bound) {}

  private static Behavior<Command> behavior(
      Shared shared, Loop loop, InetSocketAddress address, Service service, Teller teller) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          timers.startTimerWithFixedDelay(new Tick(), TICK);
          var self = new UdpTunnel(context, shared, loop, address, service, teller);
          self.listen(loop);
          return Behaviors.receive(Command.class)
              .onAnyMessage(self::on)
              .onSignal(PostStop.class, _ -> self.stopped())
              .build();
        }));
  }

  private void listen(Loop loop) {
    var listening =
        Udp.bind(shared.common().loops(), loop, address, flows)
            .thenApply(socket -> {
              flows.start(socket);
              return socket;
            });
    context.pipeToSelf(
        listening,
        (socket, failed) -> failed == null ? new Listening(socket) : new NotListening(failed));
  }

  private Behavior<Command> on(Command command) {
    return switch (command) {
      case Update(var newService) -> {
        service = newService;
        flows.serve(newService);
        yield Behaviors.same();
      }
      case Listening(var socket) -> {
        binding = false;
        if (ended) {
          close();
        } else {
          bound = true;
          shared.common().meters().tunnelBound();
          teller
              .bound()
              .tell(
                  new Tunnel.Bound.Listens(teller.tunnel(), service.identity(), socket.address()));
          shared.common().doors().opened(teller.tunnel());
        }
        yield Behaviors.same();
      }
      case NotListening(var why) -> {
        teller.bound().tell(ended ? closed() : failed(Tcp.causeOf(why)));
        yield Behaviors.stopped();
      }
      case Tick() -> {
        flows.tick();
        yield Behaviors.same();
      }
      case CloseDoor() -> {
        flows.takeNoMore();
        yield Behaviors.same();
      }
      case End() -> {
        ended = true;
        if (!binding) {
          close();
        }
        yield Behaviors.same();
      }
      case Closed() -> {
        teller.bound().tell(closed());
        yield Behaviors.stopped();
      }
    };
  }

  private Tunnel.Bound failed(Throwable why) {
    return Tunnel.failed(teller.tunnel(), service.identity(), String.valueOf(why.getMessage()));
  }

  private Tunnel.Bound closed() {
    return new Tunnel.Bound.Closed(
        teller.tunnel(), service.identity(), Transport.UDP, address.getPort());
  }

  private void close() {
    context.pipeToSelf(flows.stop(), (_, _) -> new Closed());
    noLongerBound();
  }

  private void noLongerBound() {
    if (bound) {
      bound = false;
      shared.common().meters().tunnelUnbound();
    }
  }

  private Behavior<Command> stopped() {
    shared.common().doors().gone(teller.tunnel());
    flows.stop();
    noLongerBound();
    return Behaviors.same();
  }
}
