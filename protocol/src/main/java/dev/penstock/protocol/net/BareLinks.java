package dev.penstock.protocol.net;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// Opens and accepts [BareConnection]s: TCP, TLS where wanted, then a [Preface] in bounded time and
/// memory.
public final class BareLinks {
  /// What somebody reads who speaks another protocol.
  private static final byte[] TO_A_STRANGER =
      "this port is for the nodes of a penstock gateway\r\n".getBytes(StandardCharsets.US_ASCII);

  /// How long one that is refused may take to read why.
  private static final Duration GOODBYE = Duration.ofSeconds(1);

  private BareLinks() {}

  /// What a listener tells, on any loop.
  ///
  /// @param <R> as of the preface
  public interface Acceptor<R> {
    /// This end's part of a new connection's handshake.
    Preface<R> preface(InetSocketAddress peer);

    /// The handshake is done; nothing was read beyond it.
    void accepted(BareConnection connection, R result);

    /// A connection was cut before that.
    void refused(InetSocketAddress peer, PrefaceFailed why);
  }

  /// Listens on `address`. Connections are spread over the loops in turn.
  ///
  /// @param timeout for the handshake, TLS included
  /// @param maxPending handshakes at a time, beyond which new connections are cut
  public static <R> CompletionStage<Tcp.Listener> listen(
      EventLoops loops,
      InetSocketAddress address,
      @Nullable Tls tls,
      Duration timeout,
      int maxPending,
      Acceptor<R> acceptor) {
    var pending = new AtomicInteger();
    return Tcp.listen(
        loops,
        loops.get(0),
        address,
        channel -> accept(loops, channel, tls, timeout, maxPending, pending, acceptor),
        why -> acceptor.refused(address, new PrefaceFailed(PrefaceFailed.Kind.LOST, why)));
  }

  private static <R> void accept(
      EventLoops loops,
      SocketChannel channel,
      @Nullable Tls tls,
      Duration timeout,
      int maxPending,
      AtomicInteger pending,
      Acceptor<R> acceptor) {
    InetSocketAddress peer = channel.remoteAddress();
    if (peer == null) {
      channel.unsafe().closeForcibly();
      return;
    }
    if (pending.incrementAndGet() > maxPending) {
      pending.decrementAndGet();
      channel.unsafe().closeForcibly();
      acceptor.refused(
          peer,
          new PrefaceFailed(PrefaceFailed.Kind.TOO_MANY, maxPending + " handshakes are under way"));
      return;
    }
    var result = new CompletableFuture<Greeted<R>>();
    result.whenComplete((greeted, failed) -> {
      pending.decrementAndGet();
      if (failed == null) {
        acceptor.accepted(greeted.connection(), greeted.result());
      } else {
        acceptor.refused(peer, failureOf(failed));
      }
    });
    if (tls != null) {
      channel.pipeline().addLast("tls", tls.context().newHandler(channel.alloc()));
    }
    channel.config().setAutoRead(false);
    channel
        .pipeline()
        .addLast("preface", new Greeting<>(loops, acceptor.preface(peer), timeout, result));
    loops.next().eventLoop().register(channel);
  }

  /// What a handshake ends with.
  ///
  /// @param <R> as of the preface
  public record Greeted<R>(BareConnection connection, R result) {}

  /// Connects on `loop` and shakes hands, within `timeout` in all. Fails with [DialFailure] or
  /// [PrefaceFailed].
  public static <R> CompletionStage<Greeted<R>> connect(
      EventLoops loops,
      Loop loop,
      String host,
      int port,
      @Nullable Tls tls,
      Preface<R> preface,
      Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    return Tcp.dial(loops, loop, host, port, timeout, new ChannelInboundHandlerAdapter())
        .thenCompose(channel -> {
          var result = new CompletableFuture<Greeted<R>>();
          if (tls != null) {
            channel
                .pipeline()
                .addLast("tls", tls.context().newHandler(channel.alloc(), host, port));
          }
          Duration left = Duration.ofNanos(Math.max(1, deadline - System.nanoTime()));
          channel.pipeline().addLast("preface", new Greeting<>(loops, preface, left, result));
          return result;
        });
  }

  /// The failure inside what a completion stage of this class failed with.
  public static PrefaceFailed failureOf(Throwable failed) {
    return switch (Tcp.causeOf(failed)) {
      case PrefaceFailed failure -> failure;
      case Throwable other ->
          new PrefaceFailed(PrefaceFailed.Kind.LOST, String.valueOf(other.getMessage()));
    };
  }

  /// One end of a handshake in the pipeline.
  private static final class Greeting<R> extends ByteToMessageDecoder {
    private static final int HEAD = 6;

    private final EventLoops loops;
    private final Preface<R> preface;
    private final Duration timeout;
    private final CompletableFuture<Greeted<R>> result;
    private @Nullable Future<?> timer;
    private boolean over;

    Greeting(
        EventLoops loops,
        Preface<R> preface,
        Duration timeout,
        CompletableFuture<Greeted<R>> result) {
      this.loops = loops;
      this.preface = preface;
      this.timeout = timeout;
      this.result = result;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
      if (context.channel().isRegistered()) {
        start(context);
      }
    }

    @Override
    public void channelRegistered(ChannelHandlerContext context) throws Exception {
      start(context);
      super.channelRegistered(context);
    }

    private void start(ChannelHandlerContext context) {
      if (timer != null) {
        return;
      }
      timer =
          context
              .channel()
              .eventLoop()
              .schedule(
                  () ->
                      fail(
                          context,
                          new PrefaceFailed(
                              PrefaceFailed.Kind.TIMED_OUT,
                              "no handshake within " + timeout.toMillis() + " ms")),
                  timeout.toNanos(),
                  TimeUnit.NANOSECONDS);
      preface.begin().forEach(body -> context.writeAndFlush(framed(body)));
      context.read();
    }

    private static ByteBuf framed(byte[] body) {
      return Unpooled.buffer(HEAD + body.length)
          .writeInt(Preface.MAGIC)
          .writeShort(body.length)
          .writeBytes(body);
    }

    @Override
    protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
      if (over) {
        in.skipBytes(in.readableBytes());
        return;
      }
      for (int i = 0; i < Math.min(4, in.readableBytes()); i++) {
        if (in.getByte(in.readerIndex() + i) != (byte) (Preface.MAGIC >>> (24 - 8 * i))) {
          refuse(
              context,
              Unpooled.wrappedBuffer(TO_A_STRANGER),
              new PrefaceFailed(PrefaceFailed.Kind.FOREIGN, "what came is no handshake"));
          in.skipBytes(in.readableBytes());
          return;
        }
      }
      if (in.readableBytes() < HEAD) {
        return;
      }
      int length = in.getUnsignedShort(in.readerIndex() + 4);
      if (length > Preface.MAX_BODY) {
        in.skipBytes(in.readableBytes());
        refuse(
            context,
            Unpooled.wrappedBuffer(TO_A_STRANGER),
            new PrefaceFailed(
                PrefaceFailed.Kind.TOO_LONG,
                "message: " + length + " bytes (expected: at most " + Preface.MAX_BODY + ")"));
        return;
      }
      if (in.readableBytes() < HEAD + length) {
        return;
      }
      var body = new byte[length];
      in.skipBytes(HEAD).readBytes(body);
      switch (preface.received(body)) {
        case Preface.Step.Say<R>(byte[] next) -> context.writeAndFlush(framed(next));
        case Preface.Step.Done<R>(byte[] last, R knows) -> done(context, last, knows);
        case Preface.Step.Refuse<R>(byte[] last, String why) ->
            refuse(
                context,
                last.length == 0 ? Unpooled.EMPTY_BUFFER : framed(last),
                new PrefaceFailed(PrefaceFailed.Kind.REFUSED, why));
      }
    }

    private void done(ChannelHandlerContext context, byte[] last, R knows) {
      stop();
      var channel = (SocketChannel) context.channel();
      if (last.length > 0) {
        context.writeAndFlush(framed(last));
      }
      var connection = new BareConnection(loops, channel);
      channel.pipeline().remove(this); // hands the bytes on
      if (!result.complete(new Greeted<>(connection, knows))) {
        connection.reset();
      }
    }

    private void stop() {
      over = true;
      if (timer != null) {
        timer.cancel(false);
      }
    }

    /// Closing on unread bytes would reset the connection and lose our last words: they are read
    /// and dropped for a while.
    private void refuse(ChannelHandlerContext context, ByteBuf last, PrefaceFailed why) {
      stop();
      Channel channel = context.channel();
      context.writeAndFlush(last);
      channel.config().setAutoRead(true);
      if (channel.pipeline().get("tls") == null) {
        ((SocketChannel) channel).shutdownOutput();
      }
      channel
          .eventLoop()
          .schedule(() -> channel.close(), GOODBYE.toMillis(), TimeUnit.MILLISECONDS);
      result.completeExceptionally(why);
    }

    private void fail(ChannelHandlerContext context, PrefaceFailed why) {
      if (!over) {
        stop();
        context.close();
        result.completeExceptionally(why);
      }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) throws Exception {
      super.channelReadComplete(context);
      if (!over) {
        context.read();
      }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) throws Exception {
      if (event instanceof ChannelInputShutdownEvent) {
        if (over) {
          context.close();
        } else {
          fail(context, new PrefaceFailed(PrefaceFailed.Kind.LOST, "ended during the handshake"));
        }
      }
      super.userEventTriggered(context, event);
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) throws Exception {
      fail(context, new PrefaceFailed(PrefaceFailed.Kind.LOST, "closed during the handshake"));
      super.channelInactive(context);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      fail(context, new PrefaceFailed(PrefaceFailed.Kind.LOST, String.valueOf(cause.getMessage())));
    }
  }
}
