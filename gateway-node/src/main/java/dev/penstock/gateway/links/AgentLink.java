package dev.penstock.gateway.links;

import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.link.Link;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.pekko.actor.typed.ActorRef;

/// One agent's link that takes streams, as the rest of the gateway sees it. Safe for use by several
/// threads.
public final class AgentLink {
  private final String cluster;
  private final Link link;
  private final Set<Capability> capabilities;
  private final ActorRef<GatewayLink.Command> actor;
  private final AtomicInteger outstanding = new AtomicInteger();
  private volatile boolean silent;
  private volatile Runnable whenIdle = () -> {};

  AgentLink(
      String cluster,
      Link link,
      Set<Capability> capabilities,
      ActorRef<GatewayLink.Command> actor) {
    this.cluster = cluster;
    this.link = link;
    this.capabilities = capabilities;
    this.actor = actor;
  }

  public String cluster() {
    return cluster;
  }

  public Link link() {
    return link;
  }

  public boolean can(Capability capability) {
    return capabilities.contains(capability);
  }

  /// Asks the agent for a sign of life: one that has just opened another link may have left this
  /// one without a word.
  void probe() {
    link.probe();
  }

  void silent() {
    silent = true;
  }

  void speaksAgain() {
    silent = false;
  }

  /// Whether the agent owes the answer to a ping for longer than is usual.
  boolean isSilent() {
    return silent;
  }

  /// Streams that were given to this link and have not ended.
  public int outstanding() {
    return outstanding.get();
  }

  /// Gives a client to this link. The client's connection must be registered on the link's loop.
  public void carry(GatewayLink.Carry client) {
    actor.tell(client);
  }

  /// Gives a flow of datagrams to this link.
  public void carry(GatewayLink.CarryDatagrams flow) {
    actor.tell(flow);
  }

  /// Counts a stream from its choice on, so that a burst of clients is spread.
  public void chosen() {
    outstanding.incrementAndGet();
  }

  /// The stream that was [#chosen] is over.
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
