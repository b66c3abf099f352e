package dev.penstock.agent;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.penstock.node.NodeSystem;
import dev.penstock.protocol.control.CallerAddress;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.ControlMessage.Register;
import dev.penstock.protocol.control.ControlMessage.RegisterSuccess;
import dev.penstock.protocol.control.GatewayNode;
import dev.penstock.protocol.control.Problem;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.RegisteredTunnel;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.control.TunnelRegistered;
import dev.penstock.protocol.control.TunnelRegistration;
import dev.penstock.protocol.control.TunnelSync;
import dev.penstock.protocol.control.TunnelSyncAnswer;
import dev.penstock.protocol.link.Link;
import dev.penstock.protocol.link.LinkEnd;
import dev.penstock.protocol.link.LinkListener;
import dev.penstock.protocol.link.LinkSettings;
import dev.penstock.protocol.link.LinkStage;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.link.StreamEnd;
import dev.penstock.protocol.link.StreamObserver;
import dev.penstock.protocol.link.Traffic;
import dev.penstock.protocol.net.HttpPort;
import dev.penstock.protocol.net.Loop;
import dev.penstock.protocol.net.UpgradeAnswer;
import dev.penstock.protocol.net.UpgradeRequest;
import dev.penstock.protocol.net.WebSocketConnection;
import dev.penstock.protocol.net.WebSocketSettings;
import dev.penstock.protocol.yamux.ByteBudget;
import java.io.Closeable;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.pekko.http.javadsl.model.ContentTypes;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.stream.BoundedSourceQueue;
import org.apache.pekko.stream.Materializer;
import org.apache.pekko.stream.SystemMaterializer;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;

/// A gateway made of the wire protocol and nothing else, that answers what a test wants. Ending it
/// cuts everything.
final class FakeGateway implements Closeable {
  static final String CONTROLLER_PATH = "/api/v1/clusters/agent/ws";

  private static final Set<Capability> ALL =
      EnumSet.of(Capability.UDP_FRAMES, Capability.DIAL_STATUS, Capability.CALLER_ADDRESS);

  /// Whether a link is told `gateway_hello`.
  enum Greeting {
    HELLO,
    NONE
  }

  /// Whether a heartbeat is answered, as a gateway does that has the link on its list.
  enum Heartbeats {
    ANSWERED,
    HEARD
  }

  /// A sync and the answer that it waits for.
  record AskedSync(String path, TunnelSync sync, CompletableFuture<HttpResponse> answer) {
    List<TunnelRegistration> tunnels() {
      return sync.entries().stream()
          .map(entry -> ((TunnelSync.Entry.Tunnel) entry).registration())
          .toList();
    }

    /// The answer of a gateway that took all but those with a reason.
    void take(Map<String, String> rejected) {
      var accepted =
          tunnels().stream()
              .filter(tunnel -> !rejected.containsKey(tunnel.tunnelId()))
              .map(tunnel -> {
                int port = 10_000 + tunnel.gatewayPort();
                return new RegisteredTunnel(
                    tunnel, port, "127.0.0.1:" + port, 1, RegisteredTunnel.State.LISTENING);
              })
              .toList();
      var reasons =
          rejected.entrySet().stream()
              .map(one -> new TunnelSyncAnswer.Rejected(one.getKey(), one.getValue()))
              .toList();
      answer.complete(
          HttpResponse.create()
              .withEntity(
                  ContentTypes.APPLICATION_JSON, new TunnelSyncAnswer(accepted, reasons).encode()));
    }

    void refuse(int status) {
      answer.complete(
          HttpResponse.create()
              .withStatus(status)
              .withEntity(new Problem("Refused", status, "as told").encode()));
    }
  }

  /// Whether the gateway knows the sync call.
  enum Syncs {
    SERVED,
    /// Answered 404.
    NOT_SERVED
  }

  /// A registration of a tunnel and the answer that it waits for.
  record Asked(
      String path, TunnelRegistration registration, CompletableFuture<HttpResponse> answer) {
    /// The answer of a gateway that took the tunnel.
    void take() {
      int port = 10_000 + registration.gatewayPort();
      answer.complete(
          HttpResponse.create()
              .withEntity(
                  ContentTypes.APPLICATION_JSON,
                  new TunnelRegistered(
                          registration.tunnelId(),
                          registration.protocol(),
                          port,
                          "127.0.0.1:" + port)
                      .encode()));
    }

    void refuse(int status) {
      answer.complete(
          HttpResponse.create()
              .withStatus(status)
              .withEntity(new Problem("Refused", status, "as told").encode()));
    }
  }

  private final NodeSystem node;
  private final int port;
  private final BlockingQueue<Asked> asked = new LinkedBlockingQueue<>();
  private final BlockingQueue<Register> registers = new LinkedBlockingQueue<>();
  private final BlockingQueue<UpgradeRequest> upgrades = new LinkedBlockingQueue<>();
  private final BlockingQueue<FakeLink> links = new LinkedBlockingQueue<>();
  private final BlockingQueue<AskedSync> syncs = new LinkedBlockingQueue<>();
  private volatile Syncs syncing = Syncs.NOT_SERVED;
  private volatile int refusal;
  private volatile Greeting greeting = Greeting.HELLO;
  private volatile Heartbeats heartbeats = Heartbeats.ANSWERED;
  private volatile String linksUrl;
  private volatile String self = "";
  private volatile List<GatewayNode> nodes = List.of();

  private FakeGateway(int wantedPort) {
    node = NodeSystem.start("fake-gateway", 1);
    port =
        Patiently.get(
                HttpPort.bind(
                    node.actors().classicSystem(),
                    node.loops(),
                    new InetSocketAddress(InetAddress.getLoopbackAddress(), wantedPort),
                    null,
                    WebSocketSettings.defaults(),
                    this::upgrade,
                    _ -> Flow.of(HttpRequest.class).mapAsync(1, this::rest),
                    (_, _, _) -> {}))
            .address()
            .getPort();
    linksUrl = "ws://127.0.0.1:" + port + "/ws";
  }

  static FakeGateway start() {
    return new FakeGateway(0);
  }

  /// One on a port that another had before.
  static FakeGateway startAt(int port) {
    return new FakeGateway(port);
  }

  int port() {
    return port;
  }

  /// Refuses every upgrade from now on, 0 for none.
  void refuseUpgrades(int status) {
    refusal = status;
  }

  /// Links are told from now on that this is `node` of these, as a gateway that can drain does.
  void isNode(String node, List<GatewayNode> all) {
    self = node;
    nodes = all;
  }

  /// This gateway as a node.
  GatewayNode asNode(String id) {
    return new GatewayNode(id, linksUrl);
  }

  void greet(Greeting links) {
    greeting = links;
  }

  void hear(Heartbeats now) {
    heartbeats = now;
  }

  /// What agents that register are told from now on.
  void linksUrl(String url) {
    linksUrl = url;
  }

  Register nextRegister() throws InterruptedException {
    return next(registers);
  }

  UpgradeRequest nextUpgrade() throws InterruptedException {
    return next(upgrades);
  }

  /// The next registration of a tunnel, which waits for its answer.
  Asked nextAsked() throws InterruptedException {
    return next(asked);
  }

  void serve(Syncs now) {
    syncing = now;
  }

  /// The next sync, which waits for its answer.
  AskedSync nextSync() throws InterruptedException {
    return next(syncs);
  }

  int askedCount() {
    return asked.size();
  }

  /// The next link, once its agent takes streams.
  FakeLink nextLink() throws InterruptedException {
    FakeLink link = next(links);
    Patiently.get(link.ready);
    return link;
  }

  /// The next link, whether its agent takes streams or not.
  FakeLink nextUnreadyLink() throws InterruptedException {
    return next(links);
  }

  private static <T> T next(BlockingQueue<T> queue) throws InterruptedException {
    T next = queue.poll(20, TimeUnit.SECONDS);
    if (next == null) {
      throw new AssertionError("nothing came");
    }
    return next;
  }

  private UpgradeAnswer upgrade(UpgradeRequest request) {
    upgrades.add(request);
    if (refusal > 0) {
      return new UpgradeAnswer.Refuse(
          refusal, Problem.MEDIA_TYPE, new Problem("Refused", refusal, "as told").encode());
    }
    return new UpgradeAnswer.Accept(
        connection -> new FakeLink(connection, request.path().equals(CONTROLLER_PATH)));
  }

  private CompletionStage<HttpResponse> rest(HttpRequest request) {
    return request
        .entity()
        .toStrict(Duration.ofSeconds(5).toMillis(), node.actors())
        .thenCompose(body -> {
          try {
            if (request.getUri().path().endsWith("/sync")) {
              return sync(request, body.getData().toArray());
            }
            var registration = TunnelRegistration.decode(body.getData().toArray());
            var waiting =
                new Asked(request.getUri().path(), registration, new CompletableFuture<>());
            asked.add(waiting);
            return waiting.answer();
          } catch (Exception e) {
            return CompletableFuture.failedStage(e);
          }
        });
  }

  private CompletionStage<HttpResponse> sync(HttpRequest request, byte[] body) throws Exception {
    var waiting =
        new AskedSync(request.getUri().path(), TunnelSync.decode(body), new CompletableFuture<>());
    if (syncing == Syncs.NOT_SERVED) {
      waiting.refuse(404);
    } else {
      syncs.add(waiting);
    }
    return waiting.answer();
  }

  private Materializer materializer() {
    return SystemMaterializer.get(node.actors()).materializer();
  }

  @Override
  public void close() {
    node.close();
  }

  /// One socket of an agent.
  final class FakeLink implements LinkListener {
    private final WebSocketConnection connection;
    private final Loop loop;
    private final CompletableFuture<Link> link = new CompletableFuture<>();
    private final CompletableFuture<Void> ready = new CompletableFuture<>();
    private final CompletableFuture<LinkEnd> end = new CompletableFuture<>();
    private final BlockingQueue<ControlMessage> said = new LinkedBlockingQueue<>();

    private FakeLink(WebSocketConnection connection, boolean controller) {
      this.connection = connection;
      this.loop = connection.loop();
      Link running =
          connection
              .flow()
              .joinMat(
                  new LinkStage(loop, LinkSettings.defaults(), new ByteBudget(1L << 30), this),
                  Keep.right())
              .withAttributes(loop.attributes())
              .run(materializer());
      link.complete(running);
      if (!controller) {
        Greeting now = greeting;
        links.add(this);
        if (now == Greeting.HELLO) {
          Set<Capability> capabilities = EnumSet.copyOf(ALL);
          if (!self.isEmpty()) {
            capabilities.addAll(EnumSet.of(Capability.NODES, Capability.DRAIN, Capability.CANARY));
          }
          running.offer(
              new ControlMessage.GatewayHello(
                      true, 1 << 20, Duration.ofSeconds(15), Duration.ofSeconds(30), capabilities)
                  .telling(self, nodes));
        }
      }
    }

    LinkEnd awaitEnd() {
      return Patiently.get(end);
    }

    boolean isOpen() {
      return !end.isDone();
    }

    void tell(ControlMessage message) {
      link.thenAccept(it -> it.send(message));
    }

    /// Whether the agent has said something of the end of this link that nobody has taken.
    boolean isSaid() {
      return !said.isEmpty();
    }

    /// The next thing that the agent said of the end of this link.
    ControlMessage nextSaid() throws InterruptedException {
      return next(said);
    }

    /// Loses the link without a word.
    void cut() {
      connection.reset();
    }

    /// Opens a stream for a tunnel.
    FakeStream open(String tunnelId, int servicePort) {
      return open(tunnelId, servicePort, null);
    }

    /// Opens a stream for a tunnel on behalf of a caller, null for one that is not known.
    FakeStream open(String tunnelId, int servicePort, CallerAddress caller) {
      return open(new StreamHeader(Protocol.TCP, servicePort, "x", "", tunnelId, caller));
    }

    /// Opens a stream of datagrams, which have their lengths in front.
    FakeStream openDatagrams(String tunnelId, int servicePort) {
      return open(new StreamHeader(Protocol.UDP, servicePort, "x", "", tunnelId, null));
    }

    private FakeStream open(StreamHeader header) {
      var stream = new FakeStream();
      loop.run(() -> stream.start(Patiently.get(link), header));
      return stream;
    }

    @Override
    public void control(ControlMessage message) {
      switch (message) {
        case Register register -> {
          String url = linksUrl;
          link.thenAccept(it ->
              it.send(
                  new RegisterSuccess(
                      register.requestId(), "lab", "lab", "lab", "registered", null, url)));
          registers.add(register);
        }
        case ControlMessage.GatewayHelloAck _ -> ready.complete(null);
        case ControlMessage.Heartbeat _ when heartbeats == Heartbeats.ANSWERED ->
            tell(new ControlMessage.HeartbeatAck());
        case ControlMessage.Heartbeat heartbeat -> said.add(heartbeat);
        case ControlMessage.Pong pong -> said.add(pong);
        case ControlMessage.Drain drain -> said.add(drain);
        case ControlMessage.Drained drained -> said.add(drained);
        default -> {}
      }
    }

    @Override
    public void requested(LinkStream stream, StreamHeader header) {
      stream.reset();
    }

    @Override
    public void refused(Refusal why) {}

    @Override
    public void ended(LinkEnd linkEnd) {
      end.complete(linkEnd);
    }
  }

  /// One stream to a service of an agent.
  final class FakeStream implements StreamObserver {
    private final CompletableFuture<Void> connected = new CompletableFuture<>();
    private final CompletableFuture<StreamEnd> end = new CompletableFuture<>();
    private final CompletableFuture<BoundedSourceQueue<ByteBuffer>> mouth =
        new CompletableFuture<>();
    private final AtomicReference<String> heard = new AtomicReference<>("");
    private final AtomicInteger largestPiece = new AtomicInteger();

    private void start(Link link, StreamHeader header) {
      LinkStream stream = link.open(header);
      if (stream == null) {
        throw new AssertionError("the link takes no streams");
      }
      var client =
          Flow.fromSinkAndSourceMat(
              Sink.<ByteBuffer>foreach(bytes -> {
                String said = UTF_8.decode(bytes).toString();
                heard.updateAndGet(before -> before + said);
                largestPiece.accumulateAndGet(said.length(), Math::max);
              }),
              Source.<ByteBuffer>queue(16),
              Keep.right());
      mouth.complete(
          client
              .join(stream.flow(LinkStream.DialReport.EXPECTED, List.of(), new Traffic(), this))
              .withAttributes(link.loop().attributes())
              .run(materializer()));
    }

    void say(String text) {
      sayBytes(text.getBytes(UTF_8));
    }

    void sayBytes(byte[] bytes) {
      Patiently.get(mouth).offer(ByteBuffer.wrap(bytes));
    }

    void awaitHeard(String text) {
      Patiently.until(() -> heard.get().equals(text));
    }

    /// Characters of the longest piece that was heard.
    int largestPiece() {
      return largestPiece.get();
    }

    /// Whether the agent reached the service, once it tells.
    boolean isTaken() {
      return Patiently.get(
          CompletableFuture.anyOf(connected.thenApply(_ -> true), end.thenApply(_ -> false))
              .thenApply(Boolean.TRUE::equals));
    }

    void awaitConnected() {
      Patiently.get(connected);
    }

    StreamEnd awaitEnd() {
      return Patiently.get(end);
    }

    @Override
    public void connected() {
      connected.complete(null);
    }

    @Override
    public void ended(StreamEnd streamEnd) {
      end.complete(streamEnd);
    }
  }
}
