package dev.penstock.gateway;

import dev.penstock.node.NodeSystem;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.Link;
import dev.penstock.protocol.link.LinkEnd;
import dev.penstock.protocol.link.LinkListener;
import dev.penstock.protocol.link.LinkSettings;
import dev.penstock.protocol.link.LinkStage;
import dev.penstock.protocol.link.LinkStream;
import dev.penstock.protocol.link.StreamEnd;
import dev.penstock.protocol.link.StreamObserver;
import dev.penstock.protocol.link.Traffic;
import dev.penstock.protocol.net.Loop;
import dev.penstock.protocol.net.WebSocketClient;
import dev.penstock.protocol.net.WebSocketConnection;
import dev.penstock.protocol.net.WebSocketSettings;
import dev.penstock.protocol.yamux.ByteBudget;
import java.io.Closeable;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.pekko.NotUsed;
import org.apache.pekko.stream.SystemMaterializer;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;

/// An agent made of the wire protocol and nothing else, whose services do what a test wants.
public final class FakeAgent implements LinkListener, Closeable {
  static final Set<Capability> ALL = EnumSet.of(Capability.DIAL_STATUS, Capability.CALLER_ADDRESS);

  /// What answers on the agent's side of one stream: takes what the client said, gives all that the
  /// agent sends, its dial status included.
  public interface Service {
    Flow<ByteBuffer, ByteBuffer, NotUsed> connect(FakeAgent agent);

    /// Whether [FakeAgent#heard] is kept: not of what is too much to remember.
    default boolean isRemembered() {
      return true;
    }

    /// An echo of any size.
    static Service bulkEcho() {
      return new Service() {
        @Override
        public Flow<ByteBuffer, ByteBuffer, NotUsed> connect(FakeAgent agent) {
          return echo().connect(agent);
        }

        @Override
        public boolean isRemembered() {
          return false;
        }
      };
    }

    /// A service that sends blocks of `size` zero bytes, as long as it is read; each is its own,
    /// since a link changes what it sends.
    static Service endless(int size) {
      return _ ->
          Flow.fromSinkAndSource(
              Sink.ignore(),
              Source.repeat(size)
                  .map(ByteBuffer::allocate)
                  .prepend(Source.lazySingle(() -> DialStatus.connected().encode())));
    }

    /// A service that is reached and sends everything back.
    static Service echo() {
      return _ ->
          Flow.of(ByteBuffer.class)
              .prepend(Source.lazySingle(() -> DialStatus.connected().encode()));
    }

    /// A service that sends everything back, of an agent that reports no dial.
    static Service plainEcho() {
      return _ -> Flow.of(ByteBuffer.class);
    }

    /// An agent that fails to reach the service, as soon as it has heard `early` from the client.
    static Service refusing(DialStatus.Code code, String early) {
      return agent ->
          answering(
              agent.whenHeard(early).thenApply(_ -> new DialStatus(code, "as told").encode()));
    }

    /// An agent that ends its direction without a byte, as soon as it has heard `early`.
    static Service ending(String early) {
      return agent ->
          Flow.fromSinkAndSource(
              Sink.ignore(),
              Source.completionStage(agent.whenHeard(early))
                  .flatMapConcat(_ -> Source.<ByteBuffer>empty()));
    }

    /// An agent that never says how its dial went.
    static Service silent() {
      return _ -> answering(new CompletableFuture<>());
    }

    private static Flow<ByteBuffer, ByteBuffer, NotUsed> answering(
        CompletableFuture<ByteBuffer> answer) {
      return Flow.fromSinkAndSource(Sink.ignore(), Source.completionStage(answer));
    }
  }

  /// Whether `gateway_hello` is answered.
  enum Manners {
    ANSWERS,
    IGNORES
  }

  private final NodeSystem node;
  private final Loop loop;
  private final Service service;
  private final Set<Capability> capabilities;
  private final Manners manners;
  private final WebSocketConnection connection;
  private final CompletableFuture<Link> link = new CompletableFuture<>();
  private final CompletableFuture<Void> hello = new CompletableFuture<>();
  private final CompletableFuture<LinkEnd> end = new CompletableFuture<>();
  private final BlockingQueue<ControlMessage> messages = new LinkedBlockingQueue<>();
  private final BlockingQueue<StreamHeader> asked = new LinkedBlockingQueue<>();
  private final BlockingQueue<Refusal> refusals = new LinkedBlockingQueue<>();
  private final AtomicReference<String> heard = new AtomicReference<>("");
  private final CompletableFuture<StreamEnd> firstStreamEnd = new CompletableFuture<>();
  private volatile Runnable onHeard = () -> {};

  private FakeAgent(
      NodeSystem node,
      WebSocketConnection connection,
      Service service,
      Set<Capability> capabilities,
      Manners manners) {
    this.manners = manners;
    this.node = node;
    this.loop = node.loops().get(0);
    this.connection = connection;
    this.service = service;
    this.capabilities = capabilities;
    loop.run(() ->
        link.complete(
            connection
                .flow()
                .joinMat(
                    new LinkStage(loop, LinkSettings.defaults(), new ByteBudget(1L << 30), this),
                    Keep.right())
                .withAttributes(loop.attributes())
                .run(SystemMaterializer.get(node.actors()).materializer())));
  }

  static FakeAgent link(NodeSystem node, InetSocketAddress gateway, String token, Service service) {
    return open(node, "ws://127.0.0.1:" + gateway.getPort() + "/ws", token, service, ALL);
  }

  static FakeAgent open(
      NodeSystem node, String url, String token, Service service, Set<Capability> capabilities) {
    return open(node, url, token, service, capabilities, Manners.ANSWERS);
  }

  /// One that does not answer `gateway_hello`.
  static FakeAgent openMute(NodeSystem node, String url, String token) {
    return open(node, url, token, Service.silent(), ALL, Manners.IGNORES);
  }

  private static FakeAgent open(
      NodeSystem node,
      String url,
      String token,
      Service service,
      Set<Capability> capabilities,
      Manners manners) {
    var connection =
        Patiently.get(
            WebSocketClient.connect(
                node.loops(),
                node.loops().get(0),
                URI.create(url),
                Map.of("Authorization", "Bearer " + token),
                null,
                WebSocketSettings.defaults()));
    return new FakeAgent(node, connection, service, capabilities, manners);
  }

  Link link() {
    return Patiently.get(link);
  }

  void awaitHello() {
    Patiently.get(hello);
  }

  /// The next control message of the gateway.
  ControlMessage nextMessage() throws InterruptedException {
    return messages.poll(15, TimeUnit.SECONDS);
  }

  /// The next control message if there is one.
  ControlMessage nextMessageNow() {
    return messages.poll();
  }

  /// What the streams were for that nobody has taken with [#nextAsked].
  List<StreamHeader> allAsked() {
    return List.copyOf(asked);
  }

  /// What the next stream is for.
  StreamHeader nextAsked() throws InterruptedException {
    return asked.poll(15, TimeUnit.SECONDS);
  }

  int askedCount() {
    return asked.size();
  }

  /// How the link ended.
  LinkEnd awaitEnd() {
    return Patiently.get(end);
  }

  /// All that clients said, of all streams together.
  String heard() {
    return heard.get();
  }

  StreamEnd awaitFirstStreamEnd() {
    return Patiently.get(firstStreamEnd);
  }

  private CompletableFuture<Void> whenHeard(String text) {
    var result = new CompletableFuture<Void>();
    onHeard =
        () -> {
          if (heard.get().contains(text)) {
            result.complete(null);
          }
        };
    onHeard.run();
    return result;
  }

  /// Loses the link without a word.
  void cut() {
    connection.reset();
  }

  @Override
  public void control(ControlMessage message) {
    messages.add(message);
    if (message instanceof ControlMessage.GatewayHello && manners == Manners.ANSWERS) {
      link.thenAccept(it -> {
        it.accept(new ControlMessage.GatewayHelloAck(true, capabilities));
        hello.complete(null);
      });
    }
  }

  @Override
  public void requested(LinkStream stream, StreamHeader header) {
    asked.add(header);
    var ears =
        Flow.of(ByteBuffer.class)
            .map(bytes -> {
              if (!service.isRemembered()) {
                return bytes;
              }
              String said = StandardCharsets.UTF_8.decode(bytes.duplicate()).toString();
              heard.updateAndGet(before -> before + said);
              onHeard.run();
              return bytes;
            });
    stream
        .flow(
            LinkStream.DialReport.NONE,
            List.of(),
            new Traffic(),
            new StreamObserver() {
              @Override
              public void connected() {}

              @Override
              public void ended(StreamEnd streamEnd) {
                firstStreamEnd.complete(streamEnd);
              }
            })
        .join(ears.via(service.connect(this)))
        .withAttributes(loop.attributes())
        .run(SystemMaterializer.get(node.actors()).materializer());
  }

  @Override
  public void refused(Refusal refusal) {
    refusals.add(refusal);
  }

  @Override
  public void ended(LinkEnd linkEnd) {
    end.complete(linkEnd);
  }

  @Override
  public void close() {
    connection.reset();
  }
}
