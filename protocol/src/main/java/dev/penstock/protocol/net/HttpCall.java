package dev.penstock.protocol.net;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpVersion;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/// One HTTP request on a connection of its own, over the same sockets and TLS as the links: what
/// reaches the gateway for one reaches it for the other.
public final class HttpCall {
  /// The answer to a sync of as many tunnels as there may be.
  private static final int MAX_BODY = 32 * 1024 * 1024;

  private HttpCall() {}

  /// What came back.
  public record Answer(int status, String body) {}

  /// Posts a JSON document to an `http` or `https` address. Fails with [DialFailure] or
  /// [ConnectionLost].
  ///
  /// @param tls how to speak TLS; used for `https` only, and required there
  /// @param timeout for all of it
  public static CompletionStage<Answer> postJson(
      EventLoops loops,
      Loop loop,
      URI uri,
      Map<String, String> headers,
      String json,
      @Nullable Tls tls,
      Duration timeout) {
    return call(loops, loop, HttpMethod.POST, uri, headers, json, tls, timeout);
  }

  /// Deletes what is at an `http` or `https` address. Fails as [#postJson] does.
  ///
  /// @param tls how to speak TLS; used for `https` only, and required there
  /// @param timeout for all of it
  public static CompletionStage<Answer> delete(
      EventLoops loops,
      Loop loop,
      URI uri,
      Map<String, String> headers,
      @Nullable Tls tls,
      Duration timeout) {
    return call(loops, loop, HttpMethod.DELETE, uri, headers, "", tls, timeout);
  }

  private static CompletionStage<Answer> call(
      EventLoops loops,
      Loop loop,
      HttpMethod method,
      URI uri,
      Map<String, String> headers,
      String json,
      @Nullable Tls tls,
      Duration timeout) {
    boolean secure = "https".equals(uri.getScheme());
    if (secure && tls == null) {
      throw new IllegalArgumentException("https without TLS settings: " + uri);
    }
    long deadline = System.nanoTime() + timeout.toNanos();
    int port = uri.getPort() >= 0 ? uri.getPort() : secure ? 443 : 80;
    var body = Unpooled.copiedBuffer(json, StandardCharsets.UTF_8);
    var request = new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, method, uri.getRawPath(), body);
    request
        .headers()
        .set(HttpHeaderNames.HOST, uri.getAuthority())
        .set(HttpHeaderNames.CONTENT_TYPE, "application/json")
        .set(HttpHeaderNames.ACCEPT, "application/json")
        .set(HttpHeaderNames.CONNECTION, "close")
        .setInt(HttpHeaderNames.CONTENT_LENGTH, body.readableBytes());
    headers.forEach((name, value) -> request.headers().set(name, value));
    var result = new CompletableFuture<Answer>();
    Tcp.dial(loops, loop, uri.getHost(), port, timeout, new ChannelInboundHandlerAdapter())
        .whenComplete((channel, failed) -> {
          if (failed != null) {
            request.release();
            result.completeExceptionally(Tcp.failureOf(failed));
            return;
          }
          if (secure && tls != null) {
            channel
                .pipeline()
                .addLast("tls", tls.context().newHandler(channel.alloc(), uri.getHost(), port));
          }
          send(channel, request, result);
          loop.schedule(
              Duration.ofNanos(deadline - System.nanoTime()),
              () -> {
                result.completeExceptionally(
                    new ConnectionLost("no answer within " + timeout.toSeconds() + " s"));
                channel.close();
              });
        });
    return result;
  }

  private static void send(
      SocketChannel channel, DefaultFullHttpRequest request, CompletableFuture<Answer> result) {
    channel
        .pipeline()
        .addLast(new HttpClientCodec())
        .addLast(new HttpObjectAggregator(MAX_BODY))
        .addLast(
            new SimpleChannelInboundHandler<FullHttpResponse>() {
              @Override
              protected void channelRead0(
                  ChannelHandlerContext context, FullHttpResponse response) {
                result.complete(
                    new Answer(
                        response.status().code(),
                        response.content().toString(StandardCharsets.UTF_8)));
                context.close();
              }

              @Override
              public void userEventTriggered(ChannelHandlerContext context, Object event) {
                // An answer without a length was handed on just before this event.
                if (event instanceof ChannelInputShutdownEvent) {
                  context.close();
                }
              }

              @Override
              public void channelInactive(ChannelHandlerContext context) {
                result.completeExceptionally(new ConnectionLost("closed before the answer"));
              }

              @Override
              public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
                result.completeExceptionally(
                    new ConnectionLost(String.valueOf(cause.getMessage())));
                context.close();
              }
            });
    channel.config().setAutoRead(true);
    channel.writeAndFlush(request);
  }
}
