package dev.penstock.gateway.links;

import dev.penstock.observe.Passage;
import dev.penstock.protocol.control.TraceContext;
import dev.penstock.protocol.link.DatagramDrop;
import dev.penstock.protocol.link.DatagramQueue;
import dev.penstock.protocol.link.DatagramTraffic;
import dev.penstock.protocol.link.StreamEnd;
import dev.penstock.protocol.net.Loop;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The datagrams of one client of one tunnel, seen from the public port: a bounded queue, from
/// which batches cross to the loop of the link that carries the flow, and back. Belongs to the
/// public port's loop; [UdpSession] is the other end, on the link's loop.
///
/// At most [#AHEAD] bytes are under way between the loops in each direction; the rest waits here,
/// or in the stream's window.
public final class UdpFlow {
  /// Bytes that may be under way from one loop to the other.
  static final int AHEAD = 256 * 1024;

  /// The public port of a flow; called on its loop.
  public interface Port {
    /// Sends to the client of `flow`, with the end of this turn.
    void answer(UdpFlow flow, List<ByteBuffer> datagrams);

    /// The flow's link could not carry it; it may be given to another that is not among [#tried].
    void notCarried(UdpFlow flow, @Nullable StreamEnd why);

    /// The agent reached the service, or has taken the flow and says nothing of that.
    default void reached(UdpFlow flow) {}

    /// What the access log calls its flows.
    default Passage.Kind kind() {
      return Passage.Kind.FLOW;
    }

    /// The flow is over.
    void ended(UdpFlow flow);

    /// Whether clients themselves come here; else another node does for them.
    default boolean isPublic() {
      return true;
    }
  }

  private final Service tunnel;
  private final InetSocketAddress client;
  private final InetSocketAddress listener;
  private final Loop loop;
  private final Port port;
  private final DatagramQueue queue;
  private final DatagramTraffic traffic;
  private final Set<Way> tried = new HashSet<>();
  private final long startedAt = System.nanoTime();

  /// The other end; null while no link carries the flow.
  private UdpSession.@Nullable Carrier carrier;

  private @Nullable TraceContext trace;
  private @Nullable TraceContext traceAbove;
  private int ahead;
  private boolean touched;
  private boolean over;

  /// @param listener the public address
  /// @param loop of the public port
  /// @param queue what waits for the link
  public UdpFlow(
      Service tunnel,
      InetSocketAddress client,
      InetSocketAddress listener,
      Loop loop,
      Port port,
      DatagramQueue queue,
      DatagramTraffic traffic) {
    this.tunnel = tunnel;
    this.client = client;
    this.listener = listener;
    this.loop = loop;
    this.port = port;
    this.queue = queue;
    this.traffic = traffic;
  }

  /// Makes it part of a trace, before it is given to a link.
  ///
  /// @param own the trace, with the span that this flow is; null where it is not traced
  /// @param above the span around it; null where it is the first
  public void traced(@Nullable TraceContext own, @Nullable TraceContext above) {
    trace = own;
    traceAbove = above;
  }

  @Nullable TraceContext trace() {
    return trace;
  }

  @Nullable TraceContext traceAbove() {
    return traceAbove;
  }

  public InetSocketAddress client() {
    return client;
  }

  /// Ways that failed to carry it.
  public Set<Way> tried() {
    return tried;
  }

  /// When it began, in nanoseconds of the monotonic clock.
  public long startedAt() {
    return startedAt;
  }

  /// Whether a link has taken it.
  public boolean isCarried() {
    return carrier != null;
  }

  /// A datagram of the client; true when [#flush] is wanted and was not before.
  public boolean add(ByteBuffer datagram) {
    queue.add(datagram);
    boolean first = !touched;
    touched = true;
    return first;
  }

  /// Hands over what waits, as much as may be under way.
  public void flush() {
    touched = false;
    UdpSession.Carrier to = carrier;
    if (to == null || queue.isEmpty() || ahead >= AHEAD) {
      return;
    }
    var batch = new ArrayList<ByteBuffer>(Math.min(queue.size(), 64));
    while (ahead < AHEAD) {
      ByteBuffer datagram = queue.poll();
      if (datagram == null) {
        break;
      }
      ahead += DatagramQueue.costOf(datagram);
      batch.add(datagram);
    }
    to.loop().run(() -> to.take(batch));
  }

  /// Ends it, and its stream; what waits is dropped.
  public void close(DatagramDrop why) {
    over = true;
    queue.clear(why);
    UdpSession.Carrier to = carrier;
    carrier = null;
    if (to != null) {
      to.loop().run(to::close);
    }
  }

  /// `way` did not take it. On the flow's loop.
  public void notCarriedBy(Way way) {
    notCarried(way, List.of(), null);
  }

  /// Drops what waits.
  public void drop(DatagramDrop why) {
    queue.clear(why);
  }

  // --- for UdpSession ---

  /// Whether its client came to this node itself.
  boolean isOfClient() {
    return port.isPublic();
  }

  Service tunnel() {
    return tunnel;
  }

  Passage.Kind kind() {
    return port.kind();
  }

  InetSocketAddress listener() {
    return listener;
  }

  /// The loop that it belongs to.
  public Loop loop() {
    return loop;
  }

  DatagramTraffic traffic() {
    return traffic;
  }

  /// A link took the flow.
  void carriedBy(UdpSession.Carrier by) {
    if (over) {
      by.loop().run(by::close);
      return;
    }
    carrier = by;
    ahead = 0;
    flush();
  }

  /// Batches of so many bytes are on their way to the agent.
  void taken(UdpSession.Carrier by, int cost) {
    if (carrier == by) {
      ahead -= cost;
      flush();
    }
  }

  /// Hands nothing over to `by` any more.
  void leave(UdpSession.Carrier by) {
    if (carrier == by) {
      carrier = null;
    }
  }

  void reached() {
    if (!over) {
      port.reached(this);
    }
  }

  void answer(List<ByteBuffer> datagrams) {
    if (over) {
      traffic.addDropped(DatagramDrop.SESSION_ENDED, datagrams.size());
    } else {
      port.answer(this, datagrams);
    }
  }

  /// `way` could not carry the flow.
  ///
  /// @param unsent what it was given and may be said again
  /// @param why null when it took no stream at all
  void notCarried(Way way, List<ByteBuffer> unsent, @Nullable StreamEnd why) {
    carrier = null;
    tried.add(way);
    if (over) {
      traffic.addDropped(DatagramDrop.SESSION_ENDED, unsent.size());
      return;
    }
    queue.putBack(unsent);
    port.notCarried(this, why);
  }

  void ended() {
    carrier = null;
    if (!over) {
      over = true;
      queue.clear(DatagramDrop.SESSION_ENDED);
      port.ended(this);
    }
  }
}
