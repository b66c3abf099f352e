package dev.penstock.gateway.relay;

import dev.penstock.gateway.links.Client;
import dev.penstock.gateway.links.ClientStream;
import dev.penstock.gateway.links.NotCarried;
import dev.penstock.gateway.links.UdpFlow;
import dev.penstock.gateway.links.UdpSession;
import dev.penstock.gateway.observe.RelayMeters;
import dev.penstock.gateway.observe.RelayRejection;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.Link;
import dev.penstock.protocol.link.LinkEnd;
import dev.penstock.protocol.link.LinkListener;
import dev.penstock.protocol.link.LinkSample;
import dev.penstock.protocol.link.LinkStage;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.net.BareConnection;
import dev.penstock.protocol.net.BareLinks;
import dev.penstock.protocol.net.Tcp;
import dev.penstock.protocol.net.WebSocketMessage;
import dev.penstock.protocol.yamux.Role;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.stream.Materializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One link to one event loop of another node: opened when the first client wants it, closed when
/// none did for a while. Runs on the loop of its slot; its streams are its children. While it comes
/// up clients wait, a bounded number for a bounded time; when it does not they are given back, and
/// so are those that come while it rests after that.
///
/// ```
/// down --client--> coming up --> up --idle--> ended
///  ^                  |           |
///  +---- rest --------+           |
///  +---- lost --------------------+
/// ```
final class RelayLink {
  /// What this link is told.
  sealed interface Command {}

  /// Carry this client; the answer goes to its tunnel.
  record Carry(Client client, RelayWay by) implements Command {}

  /// Carry the datagrams of this flow; the answer goes to the flow.
  record CarryDatagrams(UdpFlow flow, RelayWay by, Duration timeout) implements Command {}

  private record CameUp(BareConnection connection, RelayPreface.Peer peer) implements Command {}

  private record DidNotComeUp(String why) implements Command {}

  private record Ended(LinkEnd end) implements Command {}

  private record LookForIdleness() implements Command {}

  private static final Logger log = LoggerFactory.getLogger(RelayLink.class);

  private final ActorContext<Command> context;
  private final Relay.Shared shared;
  private final RelaySlot slot;
  private final Materializer materializer;
  private final ArrayDeque<Command> waiting = new ArrayDeque<>();
  private boolean comingUp;
  private int failures;
  private long lastUsed = System.nanoTime();

  private RelayLink(ActorContext<Command> context, Relay.Shared shared, RelaySlot slot) {
    this.context = context;
    this.shared = shared;
    this.slot = slot;
    this.materializer = slot.loop().materializer(context);
  }

  static Behavior<Command> create(Relay.Shared shared, RelaySlot slot) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> new RelayLink(context, shared, slot).start(timers)));
  }

  private Behavior<Command> start(TimerScheduler<Command> timers) {
    Duration look = shared.settings().limits().idle().dividedBy(4);
    timers.startTimerWithFixedDelay(new LookForIdleness(), look);
    return Behaviors.receive(Command.class)
        .onAnyMessage(this::on)
        .onSignal(
            PostStop.class,
            _ -> {
              slot.link(null);
              slot.gone(context.getSelf());
              waiting.forEach(client -> giveBack(client, "the node ends"));
              return Behaviors.same();
            })
        .build();
  }

  private Behavior<Command> on(Command command) {
    return switch (command) {
      case Carry _, CarryDatagrams _ -> {
        take(command);
        yield Behaviors.same();
      }
      case CameUp(var connection, var peer) -> {
        slot.knowsTraces(peer.version() >= RelayPreface.VERSION_WITH_TRACES);
        up(connection);
        yield Behaviors.same();
      }
      case DidNotComeUp(var why) -> {
        didNotComeUp(why);
        yield Behaviors.same();
      }
      case Ended(var end) -> {
        ended(end);
        yield Behaviors.same();
      }
      case LookForIdleness() -> lookForIdleness();
    };
  }

  private void take(Command client) {
    lastUsed = System.nanoTime();
    if (slot.link() != null) {
      carry(client);
    } else if (slot.isResting(lastUsed)) {
      giveBack(client, "the link to it did not come up lately");
    } else if (waiting.size() >= shared.settings().limits().waiting()) {
      giveBack(client, "too many clients wait for the link to it");
    } else {
      waiting.add(client);
      if (!comingUp) {
        connect();
      }
    }
  }

  private void connect() {
    comingUp = true;
    ActorRef<Command> self = context.getSelf();
    var tls = shared.settings().tls();
    BareLinks.connect(
            shared.loops(),
            slot.loop(),
            slot.node().relay().host(),
            slot.node().relay().port(),
            tls == null ? null : tls.client(),
            new RelayPreface.Calling(
                shared.self(), slot.node().id(), slot.loopThere(), shared.random()),
            shared.settings().limits().connectTimeout())
        .whenComplete((greeted, failed) ->
            self.tell(
                failed == null
                    ? new CameUp(greeted.connection(), greeted.result())
                    : new DidNotComeUp(String.valueOf(Tcp.causeOf(failed).getMessage()))));
  }

  private void up(BareConnection connection) {
    comingUp = false;
    failures = 0;
    slot.restNoMore();
    Link link =
        LinkStage.run(
            connection,
            shared.settings().link(),
            shared.budget(),
            new ToActor(context.getSelf(), shared),
            materializer);
    link.startBetweenNodes(Role.CLIENT);
    slot.link(link);
    shared.meters().linkUp(RelayMeters.End.OUT);
    log.atInfo()
        .addKeyValue("node", slot.node().id())
        .addKeyValue("loop", slot.loopThere())
        .addKeyValue("link", link.number())
        .log("a relay link is up");
    for (Command client = waiting.poll(); client != null; client = waiting.poll()) {
      carry(client);
    }
  }

  private record ToActor(ActorRef<Command> actor, Relay.Shared shared) implements LinkListener {
    @Override
    public void control(ControlMessage message) {}

    @Override
    public void requested(LinkStream stream, StreamHeader header) {
      stream.reset();
    }

    @Override
    public void refused(Refusal refusal) {
      shared.rejected(RelayRejection.BAD_STREAM, null, String.valueOf(refusal));
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

  private void didNotComeUp(String why) {
    comingUp = false;
    failures++;
    Duration rest = RelayRest.after(failures, ThreadLocalRandom.current());
    slot.restUntil(System.nanoTime() + rest.toNanos());
    shared.meters().connectFailed();
    shared.connectFailed(slot.node(), why);
    for (Command client = waiting.poll(); client != null; client = waiting.poll()) {
      giveBack(client, why);
    }
  }

  private void carry(Command client) {
    var onLoop = DispatcherSelector.fromConfig(slot.loop().dispatcher());
    switch (client) {
      case Carry(var tcp, var by) ->
          context.spawnAnonymous(
              ClientStream.create(
                  tcp,
                  by,
                  shared.gatewayMeters(),
                  shared.badPeers(),
                  shared.clientIdleTimeout(),
                  Duration.ZERO,
                  materializer),
              onLoop);
      case CarryDatagrams(var flow, var by, var timeout) ->
          context.spawnAnonymous(
              UdpSession.create(
                  flow, by, shared.gatewayMeters(), shared.links().udpSessions(), timeout),
              onLoop);
      default -> throw new IllegalArgumentException("client: " + client);
    }
  }

  private void giveBack(Command client, String why) {
    switch (client) {
      case Carry(var tcp, var by) -> {
        by.released();
        tcp.owner()
            .tell(
                new NotCarried(
                    tcp.after(by, List.of()),
                    new DialStatus(
                        DialStatus.Code.FAILED,
                        "no relay link to node " + slot.node().id() + ": " + why)));
      }
      case CarryDatagrams(var flow, var by, _) -> {
        by.released();
        flow.loop().run(() -> flow.notCarriedBy(by));
      }
      default -> throw new IllegalArgumentException("client: " + client);
    }
  }

  private void ended(LinkEnd end) {
    slot.link(null);
    shared.meters().linkEnded(RelayMeters.End.OUT, end.cause());
    log.atInfo()
        .addKeyValue("node", slot.node().id())
        .addKeyValue("loop", slot.loopThere())
        .addKeyValue("cause", end.cause())
        .addKeyValue("detail", end.detail())
        .log("a relay link ended");
  }

  /// The node that opened a link closes it: nobody else opens streams on it.
  private Behavior<Command> lookForIdleness() {
    boolean idle = System.nanoTime() - lastUsed > shared.settings().limits().idle().toNanos();
    if (slot.outstanding() > 0) {
      lastUsed = System.nanoTime();
      return Behaviors.same();
    }
    if (!idle || comingUp) {
      return Behaviors.same();
    }
    Link up = slot.link();
    if (up != null) {
      up.close(WebSocketMessage.Close.NORMAL, "idle");
      return Behaviors.same();
    }
    if (!slot.retire()) {
      return Behaviors.same();
    }
    shared.ways().forget(slot);
    return Behaviors.stopped();
  }
}
