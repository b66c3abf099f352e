package dev.penstock.gateway.links;

import dev.penstock.protocol.net.WebSocketConnection;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;

/// The parent of all links of this node. A link that fails is stopped and concerns no other.
public final class LinkSupervisor {
  /// What this actor is told.
  public sealed interface Command {}

  /// An agent's WebSocket is open.
  public record Connected(LinkPort.Accepted accepted, WebSocketConnection connection)
      implements Command {}

  /// Asks agents for links elsewhere, and gives their links nothing more once they have them.
  ///
  /// @param patience how long an agent may take
  public record Drain(Duration patience, ActorRef<Moved> replyTo) implements Command {}

  /// Every agent that can be asked has been.
  public record Moved() {}

  /// Close each link as soon as nothing runs on it.
  public record CloseIdle() implements Command {}

  private record LinkMoved(ActorRef<GatewayLink.Command> link) implements Command {}

  private record NodesChanged() implements Command {}

  /// The gateway ends: close all links in order.
  public record End(ActorRef<Ended> replyTo) implements Command {}

  /// All links are closed; what their agents are to read is on its way.
  public record Ended() {}

  private final ActorContext<Command> context;
  private final GatewayLink.Shared shared;
  private final NodeDirectory nodes;
  private final Set<ActorRef<GatewayLink.Command>> running = new HashSet<>();
  private final Set<ActorRef<GatewayLink.Command>> moving = new HashSet<>();
  private @Nullable Drain draining;
  private @Nullable ActorRef<Ended> ending;

  private LinkSupervisor(
      ActorContext<Command> context, GatewayLink.Shared shared, NodeDirectory nodes) {
    this.context = context;
    this.shared = shared;
    this.nodes = nodes;
  }

  /// Of a gateway of one node.
  public static Behavior<Command> create(GatewayLink.Shared shared) {
    return create(shared, NodeDirectory.alone());
  }

  /// Of one node of several.
  ///
  /// @param nodes what agents are told that they may link to
  public static Behavior<Command> create(GatewayLink.Shared shared, NodeDirectory nodes) {
    return Behaviors.setup(context -> {
      var supervisor = new LinkSupervisor(context, shared, nodes);
      ActorRef<Command> self = context.getSelf();
      nodes.subscribe(() -> self.tell(new NodesChanged()));
      return Behaviors.receive(Command.class)
          .onAnyMessage(supervisor::on)
          .onSignal(
              Terminated.class,
              ended -> {
                supervisor.running.remove(ended.getRef().<GatewayLink.Command>unsafeUpcast());
                supervisor.moved(ended.getRef().<GatewayLink.Command>unsafeUpcast());
                supervisor.endedWhenNoneRuns();
                return Behaviors.same();
              })
          .build();
    });
  }

  private Behavior<Command> on(Command command) {
    switch (command) {
      case Connected(var accepted, var connection) -> {
        ActorRef<GatewayLink.Command> link =
            context.spawnAnonymous(
                GatewayLink.create(
                    new GatewayLink.Setup(
                        shared,
                        accepted.socket(),
                        accepted.peer(),
                        accepted.cluster(),
                        connection,
                        accepted.gatewayUrl(),
                        accepted.offered(),
                        accepted.handshakeOver(),
                        nodes)),
                DispatcherSelector.fromConfig(connection.loop().dispatcher()));
        running.add(link);
        context.watch(link);
        if (ending != null) {
          link.tell(new GatewayLink.GoAway());
        } else if (draining != null) {
          drain(link, draining);
        }
      }
      case Drain drain -> {
        draining = drain;
        running.forEach(link -> drain(link, drain));
        if (moving.isEmpty()) {
          drain.replyTo().tell(new Moved());
        }
      }
      case LinkMoved(var link) -> moved(link);
      case CloseIdle() -> running.forEach(link -> link.tell(new GatewayLink.CloseWhenIdle()));
      case NodesChanged() -> running.forEach(link -> link.tell(new GatewayLink.NodesChanged()));
      case End(var replyTo) -> {
        running.forEach(link -> link.tell(new GatewayLink.GoAway()));
        ending = replyTo;
        endedWhenNoneRuns();
      }
    }
    return Behaviors.same();
  }

  private void drain(ActorRef<GatewayLink.Command> link, Drain how) {
    moving.add(link);
    ActorRef<Command> self = context.getSelf();
    link.tell(new GatewayLink.Drain(how.patience(), () -> self.tell(new LinkMoved(link))));
  }

  private void moved(ActorRef<GatewayLink.Command> link) {
    if (moving.remove(link) && moving.isEmpty() && draining != null) {
      draining.replyTo().tell(new Moved());
    }
  }

  private void endedWhenNoneRuns() {
    if (ending != null && running.isEmpty()) {
      ending.tell(new Ended());
    }
  }
}
