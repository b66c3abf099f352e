package dev.penstock.gateway.links;

import dev.penstock.live.LiveLink;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.DatagramStream;
import dev.penstock.protocol.link.Link;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.net.Loop;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/// One agent's link that takes streams, as the rest of the gateway sees it. Safe for use by several
/// threads.
public final class AgentLink implements Way {
  private final String cluster;
  private final Link link;
  private final Set<Capability> capabilities;
  private final DatagramStream.Framing framing;
  private final ActorRef<GatewayLink.Command> actor;
  private final AtomicInteger outstanding = new AtomicInteger();
  private final DialRecord dials = new DialRecord();
  private volatile boolean silent;
  private volatile @Nullable LiveLink live;
  private volatile Runnable whenIdle = () -> {};

  AgentLink(
      String cluster,
      Link link,
      Set<Capability> capabilities,
      DatagramStream.Framing framing,
      ActorRef<GatewayLink.Command> actor) {
    this.cluster = cluster;
    this.link = link;
    this.capabilities = capabilities;
    this.framing = framing;
    this.actor = actor;
  }

  public String cluster() {
    return cluster;
  }

  public Link link() {
    return link;
  }

  @Override
  public Loop loop() {
    return link.loop();
  }

  @Override
  public @Nullable LinkStream open(StreamHeader header, int listenerPort) {
    return link.open(header, listenerPort);
  }

  @Override
  public boolean can(Capability capability) {
    return capabilities.contains(capability);
  }

  @Override
  public DatagramStream.Framing framing() {
    return framing;
  }

  /// An original agent in JSON has an end for a connection that could not be made, and nothing of
  /// the kind for datagrams.
  @Override
  public boolean reportsDials(Protocol protocol) {
    return can(Capability.DIAL_STATUS)
        && (protocol == Protocol.TCP || framing != DatagramStream.Framing.MESSAGES);
  }

  /// Asks the agent for a sign of life: one that has just opened another link may have left this
  /// one without a word.
  void probe() {
    link.probe();
  }

  /// How operators see it.
  void showAs(LiveLink shown) {
    live = shown;
  }

  @Nullable LiveLink live() {
    return live;
  }

  @Override
  public @Nullable String linkId() {
    LiveLink shown = live;
    return shown == null ? null : shown.id();
  }

  void silent() {
    silent = true;
    show(true);
  }

  void speaksAgain() {
    silent = false;
    show(false);
  }

  private void show(boolean owesAnAnswer) {
    LiveLink shown = live;
    if (shown != null) {
      shown.silent(owesAnAnswer);
    }
  }

  /// Whether the agent owes the answer to a ping for longer than is usual.
  boolean isSilent() {
    return silent;
  }

  /// Streams that were given to this link and have not ended.
  public int outstanding() {
    return outstanding.get();
  }

  @Override
  public int load() {
    return outstanding.get();
  }

  @Override
  public boolean isFit(long now) {
    return !silent && dials.isFit(now);
  }

  @Override
  public void reached(DialStatus status) {
    dials.reached();
  }

  @Override
  public boolean failed(DialStatus why) {
    dials.failed(System.nanoTime());
    return true;
  }

  @Override
  public void carry(Client client) {
    actor.tell(new GatewayLink.Carry(client, this));
  }

  @Override
  public void carry(UdpFlow flow, Duration timeout) {
    actor.tell(new GatewayLink.CarryDatagrams(flow, this, timeout));
  }

  @Override
  public void chosen() {
    outstanding.incrementAndGet();
  }

  @Override
  public void released() {
    if (outstanding.decrementAndGet() == 0) {
      whenIdle.run();
    }
  }

  /// Has `told` run now if no stream is outstanding, and each time that the last one is over.
  void whenIdle(Runnable told) {
    whenIdle = told;
    if (outstanding() == 0) {
      told.run();
    }
  }
}
