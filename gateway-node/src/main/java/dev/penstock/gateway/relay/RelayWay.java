package dev.penstock.gateway.relay;

import dev.penstock.gateway.links.Client;
import dev.penstock.gateway.links.UdpFlow;
import dev.penstock.gateway.links.Way;
import dev.penstock.gateway.observe.RelayMeters;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.DatagramStream;
import dev.penstock.protocol.link.Link;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.net.Loop;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// The way to one cluster's agents over one event loop of another node. Equal to another of the
/// same slot and cluster.
final class RelayWay implements Way {
  /// What nodes of one release understand of each other.
  private static final int FIRST_HOP = 1;

  private final RelaySlot slot;
  private final String cluster;
  private final RemoteCluster there;
  private final int told;
  private final int links;
  private final RelayMeters meters;

  /// @param told streams on those links when the node last told
  /// @param links of the cluster at the node
  RelayWay(
      RelaySlot slot,
      String cluster,
      RemoteCluster there,
      int told,
      int links,
      RelayMeters meters) {
    this.slot = slot;
    this.cluster = cluster;
    this.there = there;
    this.told = told;
    this.links = Math.max(1, links);
    this.meters = meters;
  }

  @Override
  public Loop loop() {
    return slot.loop();
  }

  @Override
  public String node() {
    return slot.node().id();
  }

  /// Between nodes everything is understood, traces by all but the first release; the other node
  /// translates for its agent.
  @Override
  public boolean can(Capability capability) {
    return switch (capability) {
      case DIAL_STATUS, CALLER_ADDRESS, UDP_FRAMES -> true;
      case TRACE_CONTEXT -> slot.knowsTraces();
      default -> false;
    };
  }

  @Override
  public boolean reportsDials(Protocol protocol) {
    return true;
  }

  @Override
  public DatagramStream.Framing framing() {
    return DatagramStream.Framing.LENGTHS;
  }

  @Override
  public @Nullable LinkStream open(StreamHeader header, int listenerPort) {
    Link up = slot.link();
    return up == null
        ? null
        : up.open(header.relayed(new StreamHeader.Relayed(cluster, FIRST_HOP)));
  }

  @Override
  public void carry(Client client) {
    slot.tell(new RelayLink.Carry(client, this));
  }

  @Override
  public void carry(UdpFlow flow, Duration timeout) {
    slot.tell(new RelayLink.CarryDatagrams(flow, this, timeout));
  }

  /// What the node told is old, and does not know what we gave it since.
  @Override
  public int load() {
    return Math.max(told, there.outstanding()) / links;
  }

  @Override
  public boolean isFit(long now) {
    return there.dials().isFit(now);
  }

  @Override
  public void chosen() {
    slot.chosen();
    there.chosen();
    meters.streamOpened(RelayMeters.End.OUT);
  }

  @Override
  public void released() {
    slot.released();
    there.released();
    meters.streamEnded(RelayMeters.End.OUT);
  }

  @Override
  public void reached(DialStatus status) {
    there.loops(RelayAnswer.of(status).loops());
    there.dials().reached();
  }

  @Override
  public boolean failed(DialStatus why) {
    RelayAnswer answer = RelayAnswer.of(why);
    there.loops(answer.loops());
    return switch (answer.kind()) {
      // Of a node without a link all nodes will hear in a moment.
      case ELSEWHERE, NO_LINK -> false;
      case REACHED, NOT_REACHED -> {
        there.dials().failed(System.nanoTime());
        yield true;
      }
    };
  }

  @Override
  public String via() {
    String node = slot.node().id();
    return node.replaceFirst("/[0-9a-f]*$", "");
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof RelayWay way && way.slot == slot && way.cluster.equals(cluster);
  }

  @Override
  public int hashCode() {
    return System.identityHashCode(slot) * 31 + cluster.hashCode();
  }

  @Override
  public String toString() {
    return slot.node().id() + " loop " + slot.loopThere();
  }
}
