package dev.penstock.gateway.links;

import dev.penstock.protocol.net.WebSocketConnection;
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

  /// The gateway ends: close all links in order.
  public record End(ActorRef<Ended> replyTo) implements Command {}

  /// All links are closed; what their agents are to read is on its way.
  public record Ended() {}

  private final ActorContext<Command> context;
  private final GatewayLink.Shared shared;
  private final Set<ActorRef<GatewayLink.Command>> running = new HashSet<>();
  private @Nullable ActorRef<Ended> ending;

  private LinkSupervisor(ActorContext<Command> context, GatewayLink.Shared shared) {
    this.context = context;
    this.shared = shared;
  }

  public static Behavior<Command> create(GatewayLink.Shared shared) {
    return Behaviors.setup(context -> {
      var supervisor = new LinkSupervisor(context, shared);
      return Behaviors.receive(Command.class)
          .onAnyMessage(supervisor::on)
          .onSignal(
              Terminated.class,
              ended -> {
                supervisor.running.remove(ended.getRef().<GatewayLink.Command>unsafeUpcast());
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
                        accepted.kind(),
                        accepted.cluster(),
                        connection,
                        accepted.gatewayUrl())),
                DispatcherSelector.fromConfig(connection.loop().dispatcher()));
        running.add(link);
        context.watch(link);
        if (ending != null) {
          link.tell(new GatewayLink.GoAway());
        }
      }
      case End(var replyTo) -> {
        running.forEach(link -> link.tell(new GatewayLink.GoAway()));
        ending = replyTo;
        endedWhenNoneRuns();
      }
    }
    return Behaviors.same();
  }

  private void endedWhenNoneRuns() {
    if (ending != null && running.isEmpty()) {
      ending.tell(new Ended());
    }
  }
}
