package dev.penstock.gateway.relay;

import dev.penstock.access.AccessRules;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.links.AgentLink;
import dev.penstock.gateway.links.Service;
import dev.penstock.gateway.links.UdpFlow;
import dev.penstock.gateway.observe.RelayMeters;
import dev.penstock.observe.Passage;
import dev.penstock.protocol.control.CallerAddress;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.DatagramDrop;
import dev.penstock.protocol.link.DatagramQueue;
import dev.penstock.protocol.link.DatagramStream;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.link.StreamEnd;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;

/// One flow of datagrams of another node joined with a flow over an agent's link to this node. For
/// that link it is a public port; so each direction has its bounded queue that drops the oldest.
/// Runs on the loop of the relay link; the agent's link may live on any. Stopping it ends both.
final class RelayFlow {
  /// What this flow is told.
  sealed interface Command {}

  private record Ended() implements Command {}

  private RelayFlow() {}

  /// @param node the stream of the other node
  static Behavior<Command> create(
      Relay.Shared shared, LinkStream node, StreamHeader header, String cluster) {
    return Behaviors.setup(context -> {
      CallerAddress caller = Objects.requireNonNull(header.caller());
      var ends = new Ends(shared, node, cluster, context.getSelf());
      var flow =
          new UdpFlow(
              new Service(
                  new TunnelIdentity(cluster, header.tunnelId()),
                  header.serviceName(),
                  header.namespace(),
                  header.servicePort(),
                  header.servicePort(),
                  AccessRules.EVERYBODY),
              caller.client(),
              caller.listener(),
              node.link().loop(),
              ends,
              ends.queue(shared),
              shared.meters().datagrams());
      flow.traced(shared.gatewayMeters().access().within(header.trace()), header.trace());
      shared.meters().streamOpened(RelayMeters.End.IN);
      ends.start(flow);
      return Behaviors.receive(Command.class)
          .onMessage(Ended.class, _ -> Behaviors.stopped())
          .onSignal(
              PostStop.class,
              _ -> {
                ends.close();
                shared.meters().streamEnded(RelayMeters.End.IN);
                return Behaviors.same();
              })
          .build();
    });
  }

  /// Both ends of the join. Belongs to the loop.
  private static final class Ends implements UdpFlow.Port, DatagramStream.Owner {
    private final Relay.Shared shared;
    private final LinkStream node;
    private final String cluster;
    private final ActorRef<Command> actor;

    /// What goes to the other node.
    private final DatagramQueue answers;

    private @Nullable UdpFlow flow;
    private @Nullable DatagramStream stream;
    private boolean touched;
    private boolean over;
    private boolean refused;

    Ends(Relay.Shared shared, LinkStream node, String cluster, ActorRef<Command> actor) {
      this.shared = shared;
      this.node = node;
      this.cluster = cluster;
      this.actor = actor;
      this.answers = queue(shared);
    }

    DatagramQueue queue(Relay.Shared shared) {
      return new DatagramQueue(
          DatagramQueue.Limits.defaults(), shared.budget(), shared.meters().datagrams());
    }

    void start(UdpFlow joined) {
      flow = joined;
      if (!give(joined)) {
        refuse(RelayAnswer.noLink());
      }
    }

    /// The stream is then left to the other node, which reads why and resets it.
    private void refuse(DialStatus why) {
      over = true;
      refused = true;
      node.refuse(why.encode());
      shared.meters().notCarried();
      actor.tell(new Ended());
    }

    private boolean give(UdpFlow to) {
      AgentLink link =
          shared.links().chooseHere(cluster, to.tried(), null, ThreadLocalRandom.current());
      if (link == null) {
        return false;
      }
      link.carry(to, shared.udpTimeout());
      return true;
    }

    void close() {
      over = true;
      if (stream != null) {
        stream.close();
      } else if (!refused) {
        node.reset();
      }
      if (flow != null) {
        flow.close(DatagramDrop.SESSION_ENDED);
      }
      answers.clear(DatagramDrop.SESSION_ENDED);
    }

    // --- UdpFlow.Port: the agent's side ---

    /// The other node is told, and only then gives more than it keeps for another try.
    @Override
    public void reached(UdpFlow of) {
      if (over || stream != null) {
        return;
      }
      stream =
          node.datagrams(
              DatagramStream.Framing.LENGTHS,
              LinkStream.DialReport.NONE,
              RelayAnswer.reached(shared.links().loops(cluster)).encode(),
              shared.meters().datagrams(),
              this);
    }

    @Override
    public Passage.Kind kind() {
      return Passage.Kind.RELAYED_FLOW;
    }

    @Override
    public void answer(UdpFlow of, List<ByteBuffer> datagrams) {
      datagrams.forEach(answers::add);
      if (stream != null) {
        stream.ready();
      }
    }

    @Override
    public void notCarried(UdpFlow of, @Nullable StreamEnd why) {
      if (over || give(of)) {
        return;
      }
      DialStatus dial = why == null ? null : why.dial();
      refuse(dial == null ? RelayAnswer.noLink() : dial);
    }

    /// The node that took the client shows it.
    @Override
    public boolean isPublic() {
      return false;
    }

    @Override
    public void ended(UdpFlow of) {
      actor.tell(new Ended());
    }

    // --- DatagramStream.Owner: the other node's side ---

    @Override
    public @Nullable ByteBuffer next() {
      return answers.poll();
    }

    /// The flow's queue drops the oldest: what is fresh is worth more.
    @Override
    public boolean takes() {
      return true;
    }

    @Override
    public void arrived(ByteBuffer datagram) {
      if (flow != null) {
        touched |= flow.add(datagram);
      }
    }

    @Override
    public void arrivedAll() {
      if (touched && flow != null) {
        touched = false;
        flow.flush();
      }
    }

    @Override
    public void connected() {}

    @Override
    public void ended(StreamEnd end) {
      actor.tell(new Ended());
    }
  }
}
