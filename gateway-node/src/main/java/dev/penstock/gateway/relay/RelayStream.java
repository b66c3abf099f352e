package dev.penstock.gateway.relay;

import dev.penstock.gateway.links.AgentLink;
import dev.penstock.gateway.links.Way;
import dev.penstock.gateway.observe.RelayMeters;
import dev.penstock.observe.Passage;
import dev.penstock.protocol.control.CallerAddress;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.control.TraceContext;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.link.LinkStream.DialReport;
import dev.penstock.protocol.link.StreamEnd;
import dev.penstock.protocol.link.StreamObserver;
import dev.penstock.protocol.link.Traffic;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SortedSet;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.stream.Materializer;
import org.jspecify.annotations.Nullable;

/// One stream of another node joined with one stream of an agent's link to this node: its life, not
/// its bytes. Runs on the loop of both links: where all of the cluster's links live on other loops,
/// the other node is told which, and asks again there. Stopping it resets both.
///
/// What the relay link's stream receives is taken off only as the agent's takes it, and the
/// reverse: nothing piles up here.
final class RelayStream {
  /// What this stream is told.
  sealed interface Command {}

  private record Ended(StreamEnd end) implements Command {}

  /// The relay's own traffic is counted on the agent's side.
  private static final Traffic UNCOUNTED = new Traffic();

  private final ActorContext<Command> context;
  private final Relay.Shared shared;
  private final LinkStream node;
  private final StreamHeader header;
  private final String cluster;
  private final Materializer materializer;
  private final Set<Way> tried = new HashSet<>();
  private @Nullable AgentLink link;
  private @Nullable Answer answer;
  private final long startedAt = System.nanoTime();
  private final @Nullable TraceContext trace;
  private long agentStream;
  private long openedAt;

  private RelayStream(
      ActorContext<Command> context,
      Relay.Shared shared,
      LinkStream node,
      StreamHeader header,
      String cluster,
      Materializer materializer) {
    this.context = context;
    this.shared = shared;
    this.node = node;
    this.header = header;
    this.trace = shared.gatewayMeters().access().within(header.trace());
    this.cluster = cluster;
    this.materializer = materializer;
  }

  /// A stream that is given to an agent at once.
  ///
  /// @param node the stream of the other node
  static Behavior<Command> create(
      Relay.Shared shared,
      LinkStream node,
      StreamHeader header,
      String cluster,
      Materializer materializer) {
    return Behaviors.setup(
        context -> new RelayStream(context, shared, node, header, cluster, materializer).start());
  }

  private void over() {
    shared.meters().streamEnded(RelayMeters.End.IN);
    shared.meters().connectionOver();
  }

  private Behavior<Command> start() {
    shared.meters().streamOpened(RelayMeters.End.IN);
    shared.meters().connectionTaken();
    Behavior<Command> running =
        Behaviors.receive(Command.class)
            .onMessage(Ended.class, ended -> on(ended.end()))
            .onSignal(
                PostStop.class,
                _ -> {
                  over();
                  return Behaviors.same();
                })
            .build();
    if (give(List.of(), null)) {
      return running;
    }
    over();
    return Behaviors.stopped();
  }

  /// Gives the stream to a link that was not tried yet; false when there is none, and the other
  /// node was told.
  private boolean give(List<ByteBuffer> early, @Nullable DialStatus last) {
    while (true) {
      AgentLink next =
          shared
              .links()
              .chooseHere(cluster, tried, node.link().loop(), ThreadLocalRandom.current());
      if (next == null) {
        refuse(last);
        return false;
      }
      LinkStream agent = next.open(forAgent(next), header.servicePort());
      if (agent != null) {
        link = next;
        join(agent, next, early);
        return true;
      }
      next.released();
      tried.add(next);
    }
  }

  private StreamHeader forAgent(AgentLink by) {
    return new StreamHeader(
            header.protocol(),
            header.servicePort(),
            header.serviceName(),
            header.namespace(),
            header.tunnelId(),
            by.can(Capability.CALLER_ADDRESS) ? header.caller() : null)
        .traced(by.can(Capability.TRACE_CONTEXT) ? trace : null);
  }

  private void refuse(@Nullable DialStatus last) {
    SortedSet<Integer> loops = shared.links().loops(cluster);
    DialStatus answered;
    if (last != null) {
      answered = RelayAnswer.notReached(last, loops);
      shared.meters().notCarried();
    } else if (loops.isEmpty() || loops.contains(node.link().loop().index())) {
      answered = RelayAnswer.noLink();
      shared.meters().notCarried();
    } else {
      answered = RelayAnswer.elsewhere(loops);
      shared.meters().moved();
    }
    node.refuse(answered.encode());
  }

  private void join(LinkStream agent, AgentLink by, List<ByteBuffer> early) {
    var report = by.can(Capability.DIAL_STATUS) ? DialReport.EXPECTED : DialReport.INFERRED;
    var observer = new Answer(context.getSelf(), by, report);
    answer = observer;
    openedAt = System.nanoTime();
    agentStream = agent.number();
    node.flow(DialReport.NONE, List.of(), UNCOUNTED, Unwatched.INSTANCE)
        .join(agent.flow(report, early, shared.meters().traffic(), observer))
        .withAttributes(node.link().loop().attributes())
        .run(materializer);
  }

  private Behavior<Command> on(StreamEnd end) {
    AgentLink by = link;
    Answer answered = answer;
    if (by != null) {
      by.released();
    }
    DialStatus dial = end.dial();
    if (dial != null && by != null && answered != null) {
      by.failed(dial);
      tried.add(by);
      if (answered.given) {
        // The service may have read what was sent, so nobody else may be told the same.
        node.reset();
      } else if (!node.isOver() && give(end.early(), dial)) {
        return Behaviors.same();
      }
    }
    tell(end, by, answered);
    return Behaviors.stopped();
  }

  private void tell(StreamEnd end, @Nullable AgentLink by, @Nullable Answer answered) {
    var access = shared.gatewayMeters().access();
    if (access.isOn()) {
      CallerAddress caller = header.caller();
      access.write(
          new Passage(Passage.Kind.RELAYED_CONNECTION, startedAt)
              .with("clientAddress", caller == null ? null : caller.client())
              .with("port", caller == null ? null : caller.listener().getPort())
              .with("cluster", cluster)
              .with("tunnel", header.tunnelId())
              .with("service", header.serviceName())
              .with("namespace", header.namespace())
              .with("relayLink", node.link().number())
              .with("relayStream", node.number())
              .with("tries", tried.size() + 1)
              .with("link", by == null ? null : by.link().number())
              .with("stream", agentStream)
              .with("bytesToService", end.toPeer())
              .with("bytesToClient", end.fromPeer())
              .with("cause", end.cause())
              .traced(trace, header.trace())
              .step(Passage.Step.CHOOSE, startedAt, openedAt)
              .step(Passage.Step.DIAL, openedAt, answered == null ? 0 : answered.connectedAt)
              .step(Passage.Step.FIRST_BYTE, startedAt, answered == null ? 0 : answered.firstAt));
    }
  }

  /// Watches the agent's side, and answers the other node as soon as it is sure that no other link
  /// will be tried: ahead of every byte of the service, on the loop.
  private final class Answer implements StreamObserver {
    private final ActorRef<Command> actor;
    private final AgentLink by;
    private final DialReport report;
    private boolean given;

    /// For the access log; 0 before.
    private long connectedAt;

    private long firstAt;

    Answer(ActorRef<Command> actor, AgentLink by, DialReport report) {
      this.actor = actor;
      this.by = by;
      this.report = report;
    }

    private void give() {
      if (!given) {
        given = true;
        node.answer(RelayAnswer.reached(shared.links().loops(cluster)));
      }
    }

    @Override
    public void connected() {
      connectedAt = System.nanoTime();
      by.reached(DialStatus.connected());
      give();
    }

    /// What an agent that reports no dials was told cannot be told to another.
    @Override
    public void firstSent() {
      if (report == DialReport.INFERRED) {
        give();
      }
    }

    @Override
    public void firstReceived() {
      firstAt = System.nanoTime();
      if (report == DialReport.INFERRED) {
        by.reached(DialStatus.connected());
      }
      give();
    }

    @Override
    public void peerFinished() {
      give();
    }

    @Override
    public void ended(StreamEnd end) {
      actor.tell(new Ended(end));
    }
  }

  /// The ends of the other node's side come to the agent's side through the graph.
  private enum Unwatched implements StreamObserver {
    INSTANCE;

    @Override
    public void connected() {}

    @Override
    public void ended(StreamEnd end) {}
  }
}
