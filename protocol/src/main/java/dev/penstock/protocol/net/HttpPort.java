package dev.penstock.protocol.net;

import dev.penstock.protocol.control.KubernetesUid;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.QueryStringDecoder;
import io.netty.handler.codec.http.websocketx.WebSocketFrameDecoder;
import io.netty.handler.codec.http.websocketx.WebSocketFrameEncoder;
import io.netty.handler.codec.http.websocketx.WebSocketHandshakeException;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshakerFactory;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import org.apache.pekko.NotUsed;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.http.javadsl.Http;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.stream.TLSProtocol.SessionBytes;
import org.apache.pekko.stream.TLSProtocol.SslTlsInbound;
import org.apache.pekko.stream.TLSProtocol.SslTlsOutbound;
import org.apache.pekko.stream.javadsl.BidiFlow;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.javadsl.TLSPlacebo;
import org.apache.pekko.util.ByteString;
import org.jspecify.annotations.Nullable;

/// One port for REST and links. The head of the first request decides: a WebSocket upgrade goes to
/// the link pipeline, all else to Pekko HTTP.
public final class HttpPort {
  /// The largest request head that is looked at for the decision.
  private static final int MAX_HEAD = 16 * 1024;

  /// The kind of refusal of a connection that had to make room for a new one.
  public static final String TOO_MANY_UNUPGRADED = "too_many_unupgraded";

  private static final int USUAL_UNUPGRADED = 10_000;

  private final ActorSystem system;
  private final EventLoops loops;
  private final @Nullable Tls tls;
  private final WebSocketSettings settings;
  private final Function<UpgradeRequest, UpgradeAnswer> upgrades;
  private final Function<InetSocketAddress, Flow<HttpRequest, HttpResponse, NotUsed>> rest;
  private final Refusals refusals;
  private final Duration idleTimeout;
  private final Unupgraded unupgraded;

  /// Told of every connection that was cut before it became anything; for logs and meters. Any
  /// loop.
  public interface Refusals {
    void refused(InetSocketAddress remote, String kind, String why);
  }

  private HttpPort(
      ActorSystem system,
      EventLoops loops,
      @Nullable Tls tls,
      WebSocketSettings settings,
      Function<UpgradeRequest, UpgradeAnswer> upgrades,
      Function<InetSocketAddress, Flow<HttpRequest, HttpResponse, NotUsed>> rest,
      Refusals refusals,
      int maxUnupgraded) {
    this.unupgraded = new Unupgraded(maxUnupgraded);
    this.system = system;
    this.loops = loops;
    this.tls = tls;
    this.settings = settings;
    this.upgrades = upgrades;
    this.rest = rest;
    this.refusals = refusals;
    this.idleTimeout = system.settings().config().getDuration("pekko.http.server.idle-timeout");
  }

  /// Binds `address`. Connections are spread over the loops in turn; those of REST end after
  /// `pekko.http.server.idle-timeout` without a byte.
  ///
  /// @param upgrades decides on every upgrade, on the connection's loop; must not block
  /// @param rest what answers the requests of one connection, made from the peer's address
  public static CompletionStage<Tcp.Listener> bind(
      ActorSystem system,
      EventLoops loops,
      InetSocketAddress address,
      @Nullable Tls tls,
      WebSocketSettings settings,
      Function<UpgradeRequest, UpgradeAnswer> upgrades,
      Function<InetSocketAddress, Flow<HttpRequest, HttpResponse, NotUsed>> rest,
      Refusals refusals) {
    return bind(
        system,
        loops,
        address,
        tls,
        settings,
        upgrades,
        rest,
        refusals,
        ProxyFront.OFF,
        USUAL_UNUPGRADED);
  }

  /// As the other, for connections that a proxy may have made on behalf of others.
  ///
  /// @param maxUnupgraded connections that are no WebSockets, at least 1; one more closes the
  ///   oldest
  public static CompletionStage<Tcp.Listener> bind(
      ActorSystem system,
      EventLoops loops,
      InetSocketAddress address,
      @Nullable Tls tls,
      WebSocketSettings settings,
      Function<UpgradeRequest, UpgradeAnswer> upgrades,
      Function<InetSocketAddress, Flow<HttpRequest, HttpResponse, NotUsed>> rest,
      Refusals refusals,
      ProxyFront front,
      int maxUnupgraded) {
    var port = new HttpPort(system, loops, tls, settings, upgrades, rest, refusals, maxUnupgraded);
    return Tcp.listen(
        loops,
        loops.get(0),
        address,
        port.behind(front),
        why -> refusals.refused(address, "accept_failed", why));
  }

  private Consumer<SocketChannel> behind(ProxyFront front) {
    if (front.mode() == ProxyFront.Mode.OFF) {
      return channel -> {
        channel.config().setAutoRead(true);
        accepted(channel);
      };
    }
    var reader =
        new ProxyHeaderReader(
            front,
            new ProxyHeaderReader.Outcome() {
              @Override
              public void accepted(SocketChannel channel) {
                HttpPort.this.accepted(channel);
              }

              @Override
              public void refused(InetSocketAddress peer, ProxyFront.Refusal why) {
                // A proxy that only looks whether somebody listens did nothing wrong.
                if (why != ProxyFront.Refusal.GONE) {
                  refusals.refused(
                      peer, "proxy_" + why.name().toLowerCase(Locale.ROOT), "PROXY protocol");
                }
              }
            });
    return channel -> {
      channel.config().setAutoRead(true);
      reader.take(channel, loops.next());
    };
  }

  private void accepted(SocketChannel channel) {
    SocketChannel oldest = unupgraded.add(channel);
    if (oldest != null) {
      cut(oldest, TOO_MANY_UNUPGRADED, "the oldest of those that are no links");
    }
    if (tls != null) {
      channel.pipeline().addLast("tls", tls.context().newHandler(channel.alloc()));
    }
    channel.pipeline().addLast("first-request", new FirstRequest(new Deadline()));
    if (!channel.isRegistered()) {
      loops.next().eventLoop().register(channel);
    }
  }

  private void cut(Channel channel, String kind, String why) {
    refusals.refused(ProxyHeaderReader.remoteAddress((SocketChannel) channel), kind, why);
    channel.close();
  }

  /// Until when a connection must have become something: a REST client or an open link.
  private final class Deadline {
    private @Nullable Future<?> timer;

    void start(Channel channel) {
      timer =
          channel
              .eventLoop()
              .schedule(
                  () ->
                      cut(
                          channel,
                          "handshake_timeout",
                          "no request within " + settings.handshakeTimeout().toSeconds() + " s"),
                  settings.handshakeTimeout().toMillis(),
                  TimeUnit.MILLISECONDS);
    }

    void met() {
      if (timer != null) {
        timer.cancel(false);
      }
    }
  }

  /// Collects the head of the first request and hands the connection on.
  private final class FirstRequest extends ByteToMessageDecoder {
    private final Deadline deadline;
    private boolean decided;

    FirstRequest(Deadline deadline) {
      this.deadline = deadline;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
      deadline.start(context.channel());
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) throws Exception {
      deadline.met();
      super.channelInactive(context);
    }

    @Override
    protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
      if (decided) {
        return;
      }
      int length = Math.min(in.readableBytes(), MAX_HEAD);
      String seen =
          in.toString(in.readerIndex(), length, StandardCharsets.ISO_8859_1)
              .toLowerCase(Locale.ROOT);
      int end = seen.indexOf("\r\n\r\n");
      if (end < 0) {
        if (length == MAX_HEAD) {
          cut(context, "head_too_large", "request head of more than " + MAX_HEAD + " bytes");
        }
        return;
      }
      decided = true;
      var channel = (SocketChannel) context.channel();
      if (isUpgrade(seen.substring(0, end))) {
        channel
            .pipeline()
            .addLast("http", new HttpServerCodec(MAX_HEAD, MAX_HEAD, MAX_HEAD))
            .addLast("http-body", new HttpObjectAggregator(MAX_HEAD))
            .addLast("upgrade", new Upgrading(deadline));
        channel.pipeline().remove(this); // hands the bytes on
      } else {
        deadline.met();
        channel.config().setAutoRead(false);
        var connection = new TcpConnection(loops, channel, SocketOptions.STREAM);
        channel.pipeline().remove(this);
        serveRest(connection);
      }
    }

    private void cut(ChannelHandlerContext context, String kind, String why) {
      decided = true;
      deadline.met();
      HttpPort.this.cut(context.channel(), kind, why);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      if (!decided) {
        cut(context, "broken_handshake", String.valueOf(cause.getMessage()));
      }
    }
  }

  private static boolean isUpgrade(String head) {
    return head.lines().anyMatch(line -> line.startsWith("upgrade:") && line.contains("websocket"));
  }

  private void serveRest(TcpConnection connection) {
    BidiFlow<HttpResponse, SslTlsOutbound, SslTlsInbound, HttpRequest, NotUsed> http =
        Http.get(system).serverLayer();
    BidiFlow<SslTlsOutbound, SslTlsOutbound, SessionBytes, SslTlsInbound, NotUsed> widened =
        BidiFlow.fromFlows(Flow.of(SslTlsOutbound.class), Flow.of(SessionBytes.class).map(b -> b));
    var bytes =
        Flow.of(ByteString.class)
            .map(ByteString::asByteBuffer)
            .map(HttpPort::heap)
            .via(connection.flow())
            .map(HttpPort::unsafeByteString);
    // Pekko HTTP ends idle connections only where it binds the port itself.
    BidiFlow<ByteString, ByteString, ByteString, ByteString, NotUsed> endsIdle =
        BidiFlow.bidirectionalIdleTimeout(idleTimeout);

    http.atop(widened)
        .atop(TLSPlacebo.getInstance())
        .atop(endsIdle)
        .join(bytes)
        .join(rest.apply(connection.remoteAddress()))
        .withAttributes(connection.loop().attributes())
        .run(system);
  }

  /// Pekko's views of its byte strings are read-only, and the sockets want arrays.
  private static ByteBuffer heap(ByteBuffer readOnly) {
    byte[] copy = new byte[readOnly.remaining()];
    readOnly.get(copy);
    return ByteBuffer.wrap(copy);
  }

  private static ByteString unsafeByteString(ByteBuffer bytes) {
    return ByteString.fromArrayUnsafe(
        bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
  }

  private final class Upgrading extends ChannelInboundHandlerAdapter {
    private final Deadline deadline;

    Upgrading(Deadline deadline) {
      this.deadline = deadline;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      deadline.met();
      var request = (FullHttpRequest) message;
      try {
        answer(context, request);
      } finally {
        request.release();
      }
    }

    private void answer(ChannelHandlerContext context, FullHttpRequest request) {
      var channel = (SocketChannel) context.channel();
      if (!request.decoderResult().isSuccess()) {
        refuse(context, new UpgradeAnswer.Refuse(400, "text/plain", "this is no HTTP request\n"));
        return;
      }
      var uri = new QueryStringDecoder(request.uri());
      var seen =
          new UpgradeRequest(
              uri.path(),
              uri.parameters(),
              request.headers().get(HttpHeaderNames.AUTHORIZATION),
              request.headers().get(HttpHeaderNames.HOST),
              request.headers().get(HttpHeaderNames.USER_AGENT),
              request.headers().get(KubernetesUid.HEADER),
              ProxyHeaderReader.remoteAddress(channel),
              tls != null);
      switch (upgrades.apply(seen)) {
        case UpgradeAnswer.Refuse refusal -> refuse(context, refusal);
        case UpgradeAnswer.Accept(var connected) -> {
          var handshaker =
              new WebSocketServerHandshakerFactory("ws://" + seen.host() + uri.path(), null, false)
                  .newHandshaker(request);
          if (handshaker == null) {
            refuse(
                context,
                new UpgradeAnswer.Refuse(
                    426, "text/plain", "WebSocket version 13 is spoken here\n"));
            return;
          }
          try {
            context.pipeline().remove(this);
            var connection =
                new WebSocketConnection(loops, channel, WebSocketFrames.Side.SERVER, settings);
            handshaker
                .handshake(channel, request)
                .addListener(done -> {
                  if (done.isSuccess()) {
                    upgraded(channel, connection, connected);
                  }
                });
          } catch (WebSocketHandshakeException e) {
            refuse(context, new UpgradeAnswer.Refuse(400, "text/plain", e.getMessage() + "\n"));
          }
        }
      }
    }

    /// From here on the frames are ours: Netty's codec copies the bytes three times more on their
    /// way.
    private void upgraded(
        SocketChannel channel,
        WebSocketConnection connection,
        Consumer<WebSocketConnection> connected) {
      unupgraded.remove(channel);
      channel.pipeline().remove(WebSocketFrameEncoder.class);
      channel.pipeline().remove(WebSocketFrameDecoder.class);
      connected.accept(connection);
    }

    private void refuse(ChannelHandlerContext context, UpgradeAnswer.Refuse refusal) {
      var body = Unpooled.copiedBuffer(refusal.body(), StandardCharsets.UTF_8);
      var response =
          new DefaultFullHttpResponse(
              HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(refusal.status()), body);
      response
          .headers()
          .set(HttpHeaderNames.CONTENT_TYPE, refusal.contentType())
          .setInt(HttpHeaderNames.CONTENT_LENGTH, body.readableBytes())
          .set(HttpHeaderNames.CONNECTION, "close");
      Duration retryAfter = refusal.retryAfter();
      if (retryAfter != null) {
        response
            .headers()
            .set(HttpHeaderNames.RETRY_AFTER, retryAfter.plusSeconds(1).minusNanos(1).toSeconds());
      }
      context.channel().writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event instanceof ChannelInputShutdownEvent) {
        context.close();
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      deadline.met();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      context.close();
    }
  }
}
