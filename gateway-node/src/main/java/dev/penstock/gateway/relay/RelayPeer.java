package dev.penstock.gateway.relay;

import dev.penstock.gateway.observe.RelayMeters;
import dev.penstock.gateway.observe.RelayRejection;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.Link;
import dev.penstock.protocol.link.LinkEnd;
import dev.penstock.protocol.link.LinkListener;
import dev.penstock.protocol.link.LinkSample;
import dev.penstock.protocol.link.LinkStage;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.net.BareConnection;
import dev.penstock.protocol.net.WebSocketMessage;
import dev.penstock.protocol.yamux.Role;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.stream.Materializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One relay link that another node opened: the streams that it asks for are this actor's children.
/// Runs on the loop of its connection. Stopping it ends the connection.
final class RelayPeer {
  /// What this link is told.
  sealed interface Command {}

  /// The node ends: close the link.
  record GoAway() implements Command {}

  private record Requested(LinkStream stream, StreamHeader header) implements Command {}

  private record Refused(LinkListener.Refusal refusal) implements Command {}

  private record Ended(LinkEnd end) implements Command {}

  private static final Logger log = LoggerFactory.getLogger(RelayPeer.class);

  private final ActorContext<Command> context;
  private final Relay.Shared shared;
  private final RelayPreface.Peer peer;
  private final BareConnection connection;
  private final Materializer materializer;

  private RelayPeer(
      ActorContext<Command> context,
      Relay.Shared shared,
      RelayPreface.Peer peer,
      BareConnection connection) {
    this.context = context;
    this.shared = shared;
    this.peer = peer;
    this.connection = connection;
    this.materializer = connection.loop().materializer(context);
  }

  /// @param connection registered on the loop that this actor runs on
  static Behavior<Command> create(
      Relay.Shared shared, RelayPreface.Peer peer, BareConnection connection) {
    return Behaviors.setup(context -> new RelayPeer(context, shared, peer, connection).start());
  }

  private Behavior<Command> start() {
    Link link =
        LinkStage.run(
            connection,
            shared.settings().link(),
            shared.budget(),
            new ToActor(context.getSelf(), shared),
            materializer);
    link.startBetweenNodes(Role.SERVER);
    shared.meters().linkUp(RelayMeters.End.IN);
    log.atInfo()
        .addKeyValue("node", peer.node())
        .addKeyValue("nodeAddress", connection.remoteAddress())
        .addKeyValue("link", link.number())
        .log("a relay link of another node is up");
    return Behaviors.receiveMessage(command -> on(command, link));
  }

  private record ToActor(ActorRef<Command> actor, Relay.Shared shared) implements LinkListener {
    @Override
    public void control(ControlMessage message) {}

    @Override
    public void requested(LinkStream stream, StreamHeader header) {
      actor.tell(new Requested(stream, header));
    }

    @Override
    public void refused(Refusal refusal) {
      actor.tell(new Refused(refusal));
    }

    @Override
    public void measured(LinkSample sample) {
      shared.gatewayMeters().links().measured(sample);
    }

    @Override
    public void ended(LinkEnd end) {
      actor.tell(new Ended(end));
    }
  }

  private Behavior<Command> on(Command command, Link link) {
    return switch (command) {
      case Requested(var stream, var header) -> {
        carry(stream, header);
        yield Behaviors.same();
      }
      case Refused(var refusal) -> {
        shared.rejected(
            RelayRejection.BAD_STREAM, connection.remoteAddress(), peer.node() + ": " + refusal);
        yield Behaviors.same();
      }
      case GoAway() -> {
        link.close(WebSocketMessage.Close.GOING_AWAY, "the node ends");
        yield Behaviors.same();
      }
      case Ended(var end) -> {
        ended(end);
        yield Behaviors.stopped();
      }
    };
  }

  private void carry(LinkStream stream, StreamHeader header) {
    StreamHeader.Relayed relayed = header.relayed();
    if (relayed == null || relayed.hops() > 1) {
      shared.rejected(
          RelayRejection.HOPS,
          connection.remoteAddress(),
          peer.node() + ": hops: " + (relayed == null ? 0 : relayed.hops()) + " (expected: 1)");
      stream.refuse(
          new DialStatus(DialStatus.Code.FAILED, "hops: more than 1 (expected: 1)").encode());
      return;
    }
    var onLoop = DispatcherSelector.fromConfig(connection.loop().dispatcher());
    if (header.protocol() == Protocol.UDP) {
      context.spawnAnonymous(RelayFlow.create(shared, stream, header, relayed.cluster()), onLoop);
    } else {
      context.spawnAnonymous(
          RelayStream.create(shared, stream, header, relayed.cluster(), materializer), onLoop);
    }
  }

  private void ended(LinkEnd end) {
    shared.meters().linkEnded(RelayMeters.End.IN, end.cause());
    if (end.cause() == LinkEnd.Cause.YAMUX_VIOLATION) {
      shared.rejected(
          RelayRejection.YAMUX_VIOLATION,
          connection.remoteAddress(),
          peer.node() + ": " + end.detail());
    }
    log.atInfo()
        .addKeyValue("node", peer.node())
        .addKeyValue("cause", end.cause())
        .addKeyValue("detail", end.detail())
        .log("a relay link of another node ended");
  }
}
