package dev.penstock.protocol.net;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.ConnectTimeoutException;
import io.netty.channel.socket.ServerSocketChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.util.NetUtil;
import java.net.BindException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NoRouteToHostException;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Makes and accepts TCP connections on [EventLoops]. Names are resolved on threads of their own:
/// the resolver of the operating system blocks.
public final class Tcp {
  private static final int BACKLOG = 4096;

  /// How long a listener rests after the system refused it another connection (usually: no file
  /// descriptors left).
  private static final Duration ACCEPT_PAUSE = Duration.ofMillis(500);

  private Tcp() {}

  /// A bound port.
  public static final class Listener {
    private final Channel channel;

    private Listener(Channel channel) {
      this.channel = channel;
    }

    public InetSocketAddress address() {
      return (InetSocketAddress) channel.localAddress();
    }

    /// Stops listening; accepted connections go on.
    public CompletionStage<Void> close() {
      var closed = new CompletableFuture<Void>();
      channel.close().addListener(done -> closed.complete(null));
      return closed;
    }
  }

  /// What a listener tells; called on its loop.
  public interface Acceptor {
    /// A client connected. The connection belongs to no loop yet: [TcpConnection#register] it.
    void accepted(TcpConnection connection);

    /// The system refused to hand out a connection; the listener pauses and goes on.
    void acceptFailed(String why);
  }

  /// Listens on `address`; the acceptor runs on `loop`. Fails with the system's
  /// `java.net.BindException`.
  public static CompletionStage<Listener> listen(
      EventLoops loops, Loop loop, InetSocketAddress address, Acceptor acceptor) {
    return listen(
        loops,
        loop,
        address,
        channel -> {
          // A client that left between accept and here has no address any more.
          if (channel.remoteAddress() == null) {
            channel.unsafe().closeForcibly();
          } else {
            acceptor.accepted(new TcpConnection(loops, channel, SocketOptions.STREAM));
          }
        },
        acceptor::acceptFailed);
  }

  /// What a listener behind a [ProxyFront] tells; called on its loop.
  public interface FrontedAcceptor extends Acceptor {
    /// A connection was cut before it was accepted.
    void refused(InetSocketAddress peer, ProxyFront.Refusal why);
  }

  /// As [#listen(EventLoops, Loop, InetSocketAddress, Acceptor)], for connections that a proxy may
  /// have made on behalf of others. With [ProxyFront#OFF] it is the same.
  public static CompletionStage<Listener> listen(
      EventLoops loops,
      Loop loop,
      InetSocketAddress address,
      ProxyFront front,
      FrontedAcceptor acceptor) {
    if (front.mode() == ProxyFront.Mode.OFF) {
      return listen(loops, loop, address, acceptor);
    }
    var reader =
        new ProxyHeaderReader(
            front,
            new ProxyHeaderReader.Outcome() {
              @Override
              public void accepted(SocketChannel channel) {
                acceptor.accepted(new TcpConnection(loops, channel, SocketOptions.STREAM));
              }

              @Override
              public void refused(InetSocketAddress peer, ProxyFront.Refusal why) {
                acceptor.refused(peer, why);
              }
            });
    return listen(
        loops,
        loop,
        address,
        channel -> {
          channel.config().setAutoRead(false);
          reader.take(channel, loop);
        },
        acceptor::acceptFailed);
  }

  static CompletionStage<Listener> listen(
      EventLoops loops,
      Loop loop,
      InetSocketAddress address,
      Consumer<SocketChannel> accepted,
      Consumer<String> failed) {
    var result = new CompletableFuture<Listener>();
    ServerSocketChannel server;
    try {
      server = loops.newServerSocket();
    } catch (ChannelException e) {
      // No file descriptor is left.
      return CompletableFuture.failedFuture(bindFailure(address, e));
    }
    server.config().setOption(ChannelOption.SO_REUSEADDR, true);
    server.config().setBacklog(BACKLOG);
    server.pipeline().addLast(new Accepting(accepted, failed));
    loop.eventLoop()
        .register(server)
        .addListener(registered ->
            server
                .bind(address)
                .addListener(bound -> {
                  if (bound.isSuccess()) {
                    result.complete(new Listener(server));
                  } else {
                    server.close();
                    result.completeExceptionally(bindFailure(address, bound.cause()));
                  }
                }));
    return result;
  }

  /// Native transports throw other types than NIO, with their own words before the system's.
  static BindException bindFailure(InetSocketAddress address, Throwable cause) {
    String text = String.valueOf(cause.getMessage());
    var failure =
        new BindException(
            NetUtil.toSocketAddressString(address)
                + ": "
                + text.substring(text.lastIndexOf(": ") < 0 ? 0 : text.lastIndexOf(": ") + 2));
    failure.initCause(cause);
    return failure;
  }

  private static final class Accepting extends ChannelInboundHandlerAdapter {
    private final Consumer<SocketChannel> accepted;
    private final Consumer<String> failed;

    Accepting(Consumer<SocketChannel> accepted, Consumer<String> failed) {
      this.accepted = accepted;
      this.failed = failed;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      var channel = (SocketChannel) message;
      channel.config().setMessageSizeEstimator(ArrayMessage.SIZES);
      accepted.accept(channel);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      var config = context.channel().config();
      if (config.isAutoRead()) {
        config.setAutoRead(false);
        context
            .executor()
            .schedule(
                () -> config.setAutoRead(true), ACCEPT_PAUSE.toMillis(), TimeUnit.MILLISECONDS);
      }
      failed.accept(String.valueOf(cause.getMessage()));
    }
  }

  /// Connects as [#connect(EventLoops, Loop, String, int, Duration, TcpOptions)] does, with the
  /// default options.
  public static CompletionStage<TcpConnection> connect(
      EventLoops loops, Loop loop, String host, int port, Duration timeout) {
    return connect(loops, loop, host, port, timeout, TcpOptions.defaults());
  }

  /// Connects to `host:port` on `loop`, trying the addresses of the name in turn, within `timeout`
  /// in all. Fails with [DialFailure].
  public static CompletionStage<TcpConnection> connect(
      EventLoops loops, Loop loop, String host, int port, Duration timeout, TcpOptions options) {
    return dial(loops, loop, host, port, timeout, new ChannelInboundHandlerAdapter())
        .thenApply(channel -> {
          var connection = new TcpConnection(loops, channel, SocketOptions.STREAM);
          SocketOptions.apply(options, channel, loops.readSize(SocketOptions.STREAM));
          return connection;
        });
  }

  static CompletionStage<SocketChannel> dial(
      EventLoops loops,
      Loop loop,
      String host,
      int port,
      Duration timeout,
      ChannelHandler handler) {
    long deadline = System.nanoTime() + timeout.toNanos();
    var literal = NetUtil.createByteArrayFromIpAddressString(host);
    if (literal != null) {
      try {
        var address = new InetSocketAddress(InetAddress.getByAddress(literal), port);
        return dial(loops, loop, host, address, deadline, handler);
      } catch (UnknownHostException impossible) {
        throw new IllegalStateException(impossible);
      }
    }
    return resolve(host)
        .thenComposeAsync(
            addresses -> dialInTurn(loops, loop, host, port, addresses, 0, deadline, handler),
            loop::execute);
  }

  private static CompletionStage<SocketChannel> dialInTurn(
      EventLoops loops,
      Loop loop,
      String host,
      int port,
      List<InetAddress> addresses,
      int at,
      long deadline,
      ChannelHandler handler) {
    var address = new InetSocketAddress(addresses.get(at), port);
    var attempt = dial(loops, loop, host, address, deadline, handler);
    return at + 1 == addresses.size()
        ? attempt
        : attempt.exceptionallyCompose(
            failed -> dialInTurn(loops, loop, host, port, addresses, at + 1, deadline, handler));
  }

  /// The addresses of a name, or the one that it spells; fails with [DialFailure].
  static CompletionStage<List<InetAddress>> addressesOf(String host) {
    var literal = NetUtil.createByteArrayFromIpAddressString(host);
    if (literal == null) {
      return resolve(host);
    }
    try {
      return CompletableFuture.completedFuture(List.of(InetAddress.getByAddress(literal)));
    } catch (UnknownHostException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  private static CompletionStage<List<InetAddress>> resolve(String host) {
    var result = new CompletableFuture<List<InetAddress>>();
    Thread.ofVirtual()
        .name("resolve-" + host)
        .start(() -> {
          try {
            result.complete(List.of(InetAddress.getAllByName(host)));
          } catch (UnknownHostException e) {
            result.completeExceptionally(
                new DialFailure(
                    DialFailure.Kind.NAME_NOT_RESOLVED,
                    "the name " + host + " could not be resolved"));
          }
        });
    return result;
  }

  private static CompletionStage<SocketChannel> dial(
      EventLoops loops,
      Loop loop,
      String host,
      InetSocketAddress address,
      long deadline,
      ChannelHandler handler) {
    var result = new CompletableFuture<SocketChannel>();
    long left = Math.max(1, (deadline - System.nanoTime()) / 1_000_000);
    var bootstrap =
        new Bootstrap()
            .group(loop.eventLoop())
            .channelFactory(loops::newSocket)
            .option(ChannelOption.AUTO_READ, false)
            .option(ChannelOption.ALLOW_HALF_CLOSURE, true)
            .option(ChannelOption.MESSAGE_SIZE_ESTIMATOR, ArrayMessage.SIZES)
            .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, (int) Math.min(left, Integer.MAX_VALUE))
            .handler(handler);
    bootstrap
        .connect(address)
        .addListener((ChannelFuture done) -> {
          if (done.isSuccess()) {
            result.complete((SocketChannel) done.channel());
          } else {
            result.completeExceptionally(failure(host, address, done.cause()));
          }
        });
    return result;
  }

  private static DialFailure failure(
      String host, SocketAddress address, @Nullable Throwable cause) {
    String target = host + ":" + ((InetSocketAddress) address).getPort();
    return switch (cause) {
      case ConnectTimeoutException _ ->
          new DialFailure(DialFailure.Kind.TIMED_OUT, target + " did not answer in time");
      case NoRouteToHostException _ ->
          new DialFailure(DialFailure.Kind.UNREACHABLE, "no route to " + target);
      case ConnectException e when String.valueOf(e.getMessage()).contains("refused") ->
          new DialFailure(DialFailure.Kind.REFUSED, target + " refused the connection");
      case null, default -> {
        String text = String.valueOf(cause == null ? null : cause.getMessage());
        yield text.contains("unreachable")
            ? new DialFailure(DialFailure.Kind.UNREACHABLE, target + " is unreachable")
            : new DialFailure(DialFailure.Kind.FAILED, target + ": " + text);
      }
    };
  }

  /// The [DialFailure] inside what a completion stage of this class failed with.
  public static DialFailure failureOf(Throwable failed) {
    Throwable cause = causeOf(failed);
    return cause instanceof DialFailure failure
        ? failure
        : new DialFailure(DialFailure.Kind.FAILED, String.valueOf(cause.getMessage()));
  }

  /// What a completion stage failed with, without the wrapping that a dependent stage adds.
  public static Throwable causeOf(Throwable failed) {
    return failed instanceof CompletionException && failed.getCause() != null
        ? failed.getCause()
        : failed;
  }
}
