package dev.penstock.gateway.tunnels;

import dev.penstock.gateway.links.Service;
import dev.penstock.gateway.links.UdpFlow;
import dev.penstock.gateway.links.Way;
import dev.penstock.gateway.sources.SourceGuard;
import dev.penstock.gateway.sources.Verdict;
import dev.penstock.protocol.link.DatagramDrop;
import dev.penstock.protocol.link.DatagramQueue;
import dev.penstock.protocol.link.DatagramTraffic;
import dev.penstock.protocol.link.StreamEnd;
import dev.penstock.protocol.net.Loop;
import dev.penstock.protocol.net.UdpSocket;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/// The flows of one public UDP port, by client: what comes in goes to its client's flow, what comes
/// back goes to that client and to no other. Belongs to the port's loop.
final class UdpFlows implements UdpSocket.Receiver, UdpFlow.Port {
  /// For how long a client whose flow no agent could carry is not tried again.
  private static final Duration PENALTY = Duration.ofSeconds(1);

  /// A link that has not taken a flow in this time is gone.
  private static final Duration TAKEN_WITHIN = Duration.ofSeconds(30);

  private static final int QUEUED_DATAGRAMS = DatagramQueue.Limits.defaults().datagrams();

  private final UdpTunnel.Shared shared;
  private final Loop loop;
  private final DatagramTraffic traffic;
  private final SourceGuard sources;
  private final DatagramQueue.Limits limits;
  private final Map<InetSocketAddress, UdpFlow> flows = new HashMap<>();

  /// Clients whose flow no agent could carry, and when that was.
  private final Map<InetSocketAddress, Long> failed = new HashMap<>();

  private final Set<UdpFlow> notTaken = new HashSet<>();
  private final List<UdpFlow> touched = new ArrayList<>();
  private Service service;
  private @Nullable UdpSocket socket;
  private long kernelDrops;
  private boolean closed;
  private boolean over;

  UdpFlows(UdpTunnel.Shared shared, Loop loop, Service service) {
    this.shared = shared;
    this.loop = loop;
    this.service = service;
    this.traffic = shared.common().meters().datagrams();
    this.sources =
        new SourceGuard(
            shared.common().access(), service.access(), shared.common().meters()::sourceForgotten);
    this.limits = new DatagramQueue.Limits(shared.settings().queueSize(), QUEUED_DATAGRAMS);
  }

  /// The port is bound.
  void start(UdpSocket bound) {
    if (over) {
      bound.close();
    } else {
      socket = bound;
    }
  }

  /// New flows are for this service; those that run go on.
  void serve(Service now) {
    service = now;
    sources.rules(now.access());
  }

  /// No client may begin a flow any more.
  void takeNoMore() {
    closed = true;
  }

  /// What happens every second.
  void tick() {
    countKernelDrops();
    long now = System.nanoTime();
    failed.values().removeIf(since -> now - since >= PENALTY.toNanos());
    for (Iterator<UdpFlow> all = notTaken.iterator(); all.hasNext(); ) {
      UdpFlow flow = all.next();
      if (flow.isCarried()) {
        all.remove();
      } else if (now - flow.startedAt() >= TAKEN_WITHIN.toNanos()) {
        all.remove();
        flow.close(DatagramDrop.NO_LINK);
        forget(flow);
      }
    }
  }

  private void countKernelDrops() {
    if (socket != null) {
      long now = socket.kernelDrops();
      traffic.addDropped(DatagramDrop.RECEIVE_BUFFER_FULL, now - kernelDrops);
      kernelDrops = Math.max(now, kernelDrops);
    }
  }

  /// Ends all flows and closes the port; completes when that is free.
  CompletionStage<Void> stop() {
    over = true;
    UdpSocket was = socket;
    if (was == null) {
      return CompletableFuture.completedFuture(null);
    }
    countKernelDrops();
    socket = null;
    for (UdpFlow flow : List.copyOf(flows.values())) {
      flow.close(DatagramDrop.SESSION_ENDED);
      forget(flow);
    }
    notTaken.clear();
    return was.close();
  }

  // --- UdpSocket.Receiver ---

  @Override
  public void received(ByteBuffer datagram, InetSocketAddress from) {
    if (datagram.remaining() > shared.settings().bufferSize()) {
      traffic.addDropped(DatagramDrop.TOO_LARGE, 1);
      return;
    }
    UdpFlow flow = flows.get(from);
    if (flow == null) {
      flow = begin(from);
    }
    if (flow != null && flow.add(datagram)) {
      touched.add(flow);
    }
  }

  @Override
  public void receivedAll() {
    for (UdpFlow flow : touched) {
      flow.flush();
    }
    touched.clear();
  }

  @Override
  public void notSent(int datagrams, int bytes) {
    traffic.addFromPeer(-datagrams, -bytes);
    traffic.addDropped(DatagramDrop.SEND_FAILED, datagrams);
  }

  @Override
  public void failed(String why) {
    shared.common().badPeers().datagramsFailed(service.identity(), why);
  }

  /// The flow of a new client; null when there can be none, and its datagram is counted.
  private @Nullable UdpFlow begin(InetSocketAddress client) {
    UdpSocket port = socket;
    if (closed) {
      return dropped(DatagramDrop.DRAINING, client);
    }
    if (port == null || failed.containsKey(client)) {
      return dropped(DatagramDrop.DIAL_FAILED, client);
    }
    if (shared.common().bans().contains(client.getAddress())) {
      return dropped(DatagramDrop.SOURCE_REFUSED, client);
    }
    if (service.servicePort() == 0) {
      return dropped(DatagramDrop.NO_SERVICE, client);
    }
    if (flows.size() >= shared.settings().maxSessions()) {
      return dropped(DatagramDrop.TOO_MANY_SESSIONS, client);
    }
    Way link = choose(Set.of());
    if (link == null) {
      return dropped(DatagramDrop.NO_LINK, client);
    }
    if (sources.admit(client.getAddress(), System.nanoTime()) != Verdict.ADMITTED) {
      link.released();
      return dropped(DatagramDrop.SOURCE_REFUSED, client);
    }
    if (!shared.common().admission().enter()) {
      link.released();
      sources.released(client.getAddress(), System.nanoTime());
      return dropped(DatagramDrop.TOO_MANY_SESSIONS, client);
    }
    var flow =
        new UdpFlow(
            service,
            client,
            port.address(),
            loop,
            this,
            new DatagramQueue(limits, shared.budget(), traffic),
            traffic);
    flow.traced(shared.common().meters().access().trace(), null);
    flows.put(client, flow);
    give(flow, link);
    return flow;
  }

  private @Nullable UdpFlow dropped(DatagramDrop why, InetSocketAddress client) {
    traffic.addDropped(why, 1);
    shared.common().badPeers().flowRefused(why, service.identity(), client);
    return null;
  }

  private @Nullable Way choose(Set<Way> tried) {
    return shared
        .common()
        .links()
        .choose(service.identity().cluster(), tried, ThreadLocalRandom.current());
  }

  private void give(UdpFlow flow, Way link) {
    notTaken.add(flow);
    link.carry(flow, shared.settings().sessionTimeout());
  }

  private void forget(UdpFlow flow) {
    if (flows.remove(flow.client(), flow)) {
      notTaken.remove(flow);
      shared.common().admission().leave();
      sources.released(flow.client().getAddress(), System.nanoTime());
    }
  }

  // --- UdpFlow.Port ---

  @Override
  public void answer(UdpFlow flow, List<ByteBuffer> datagrams) {
    UdpSocket port = socket;
    int sent = 0;
    long bytes = 0;
    for (ByteBuffer datagram : datagrams) {
      if (port != null && port.writable()) {
        sent++;
        bytes += datagram.remaining();
        port.send(datagram, flow.client());
      }
    }
    traffic.addFromPeer(sent, bytes);
    traffic.addDropped(DatagramDrop.SOCKET_FULL, datagrams.size() - sent);
  }

  @Override
  public void notCarried(UdpFlow flow, @Nullable StreamEnd why) {
    Way next = choose(flow.tried());
    if (next != null) {
      give(flow, next);
      return;
    }
    if (failed.size() < shared.settings().maxSessions()) {
      failed.put(flow.client(), System.nanoTime());
    }
    flow.close(why == null ? DatagramDrop.NO_LINK : DatagramDrop.DIAL_FAILED);
    forget(flow);
    shared
        .common()
        .badPeers()
        .flowRefused(
            why == null ? DatagramDrop.NO_LINK : DatagramDrop.DIAL_FAILED,
            service.identity(),
            flow.client());
  }

  @Override
  public void ended(UdpFlow flow) {
    forget(flow);
  }
}
