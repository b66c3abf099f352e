package dev.penstock.protocol.net;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketClientHandshaker;
import io.netty.handler.codec.http.websocketx.WebSocketClientHandshakerFactory;
import io.netty.handler.codec.http.websocketx.WebSocketFrameDecoder;
import io.netty.handler.codec.http.websocketx.WebSocketFrameEncoder;
import io.netty.handler.codec.http.websocketx.WebSocketHandshakeException;
import io.netty.handler.codec.http.websocketx.WebSocketVersion;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Opens WebSockets.
public final class WebSocketClient {
  private static final int MAX_ERROR_BODY = 64 * 1024;
  private static final Pattern SECONDS = Pattern.compile("[0-9]{1,9}");

  private WebSocketClient() {}

  /// Connects to a `ws` or `wss` address on `loop`. Fails with [DialFailure] when there is no
  /// connection, with [UpgradeRefused] when the server answers with another status than 101, and
  /// with [ConnectionLost] otherwise.
  ///
  /// @param tls how to speak TLS; used for `wss` only, and required there
  public static CompletionStage<WebSocketConnection> connect(
      EventLoops loops,
      Loop loop,
      URI uri,
      Map<String, String> headers,
      @Nullable Tls tls,
      WebSocketSettings settings) {
    boolean secure = "wss".equals(uri.getScheme());
    if (secure && tls == null) {
      throw new IllegalArgumentException("wss without TLS settings: " + uri);
    }
    int port = uri.getPort() >= 0 ? uri.getPort() : secure ? 443 : 80;
    return Tcp.dial(
            loops,
            loop,
            uri.getHost(),
            port,
            settings.handshakeTimeout(),
            new ChannelInboundHandlerAdapter())
        .thenCompose(channel -> {
          if (secure && tls != null) {
            channel
                .pipeline()
                .addLast("tls", tls.context().newHandler(channel.alloc(), uri.getHost(), port));
          }
          return upgrade(loops, channel, uri, headers, settings);
        });
  }

  private static CompletionStage<WebSocketConnection> upgrade(
      EventLoops loops,
      SocketChannel channel,
      URI uri,
      Map<String, String> headers,
      WebSocketSettings settings) {
    var result = new CompletableFuture<WebSocketConnection>();
    var all = new DefaultHttpHeaders();
    headers.forEach(all::set);
    var handshaker =
        WebSocketClientHandshakerFactory.newHandshaker(
            uri, WebSocketVersion.V13, null, false, all, settings.maxFrame());
    channel
        .pipeline()
        .addLast("http", new HttpClientCodec())
        .addLast("http-body", new HttpObjectAggregator(MAX_ERROR_BODY))
        .addLast("upgrade", new Upgrading(loops, handshaker, settings, result));
    channel
        .eventLoop()
        .schedule(
            () -> {
              if (result.completeExceptionally(
                  new ConnectionLost(
                      "no answer to the upgrade within "
                          + settings.handshakeTimeout().toSeconds()
                          + " s"))) {
                channel.close();
              }
            },
            settings.handshakeTimeout().toMillis(),
            TimeUnit.MILLISECONDS);
    handshaker
        .handshake(channel)
        .addListener(sent -> {
          if (sent.isSuccess()) {
            channel.read();
          } else {
            result.completeExceptionally(
                new ConnectionLost(String.valueOf(sent.cause().getMessage())));
          }
        });
    return result;
  }

  /// In seconds; the form with a date would need a clock that both ends agree on.
  private static Duration retryAfter(FullHttpResponse response) {
    String seconds = response.headers().get(HttpHeaderNames.RETRY_AFTER);
    return seconds != null && SECONDS.matcher(seconds).matches()
        ? Duration.ofSeconds(Long.parseLong(seconds))
        : Duration.ZERO;
  }

  private static final class Upgrading extends ChannelInboundHandlerAdapter {
    private final EventLoops loops;
    private final WebSocketClientHandshaker handshaker;
    private final WebSocketSettings settings;
    private final CompletableFuture<WebSocketConnection> result;

    Upgrading(
        EventLoops loops,
        WebSocketClientHandshaker handshaker,
        WebSocketSettings settings,
        CompletableFuture<WebSocketConnection> result) {
      this.loops = loops;
      this.handshaker = handshaker;
      this.settings = settings;
      this.result = result;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      var response = (FullHttpResponse) message;
      var channel = (SocketChannel) context.channel();
      try {
        if (response.status().code() != 101) {
          String body = response.content().toString(StandardCharsets.UTF_8);
          fail(
              channel,
              new UpgradeRefused(
                  response.status().code(),
                  retryAfter(response),
                  response.status() + (body.isBlank() ? "" : ": " + body.strip())));
          return;
        }
        handshaker.finishHandshake(channel, response);
        context.pipeline().remove(this);
        var connection =
            new WebSocketConnection(loops, channel, WebSocketFrames.Side.CLIENT, settings);
        channel.pipeline().remove(WebSocketFrameEncoder.class);
        channel.pipeline().remove(WebSocketFrameDecoder.class);
        if (!result.complete(connection)) {
          connection.reset();
        }
      } catch (WebSocketHandshakeException e) {
        fail(channel, new ConnectionLost("the upgrade failed: " + e.getMessage()));
      } finally {
        response.release();
      }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
      context.read();
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      fail(context.channel(), new ConnectionLost("closed during the upgrade"));
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      fail(context.channel(), new ConnectionLost(String.valueOf(cause.getMessage())));
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event instanceof ChannelInputShutdownEvent) {
        fail(context.channel(), new ConnectionLost("closed during the upgrade"));
      }
    }

    private void fail(Channel channel, RuntimeException cause) {
      result.completeExceptionally(cause);
      channel.close();
    }
  }
}
