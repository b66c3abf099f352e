package dev.penstock.protocol.net;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.unix.UnixChannel;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.NotUsed;
import org.apache.pekko.stream.javadsl.Flow;
import org.jspecify.annotations.Nullable;

/// A connected socket as a flow of `T`: reads follow demand, writes follow the socket's
/// writability.
///
/// Thread rule: everything but the addresses and [#reset] belongs to the [#loop] that the
/// connection is registered on.
///
/// @param <T> what travels: bytes, or WebSocket messages
public abstract sealed class Connection<T>
    permits TcpConnection, WebSocketConnection, BareConnection {
  private final EventLoops loops;
  private final SocketChannel channel;
  private final InetSocketAddress remoteAddress;
  private final InetSocketAddress localAddress;
  private final int readAhead;
  private final CompletableFuture<Void> closed = new CompletableFuture<>();

  private @Nullable T head;
  private @Nullable ArrayDeque<T> tail;
  private int waiting;
  private int moves;
  private boolean readPending;

  /// The socket, where reads go past Netty; null until the first read, and where they do not.
  private EpollInterest.@Nullable Socket socket;

  private boolean throughNetty;
  private boolean lends;
  private boolean flushPending;

  /// The last message, while it is not flushed.
  private @Nullable ArrayMessage lastWritten;

  private boolean inputEnded;
  private @Nullable RuntimeException failure;
  private @Nullable Runnable onChange;
  private @Nullable Runnable endIdleWatch;

  /// @param readAhead while no more bytes than this wait for demand, the next read is asked for
  ///   ahead of it: it spares two system calls in every round of a question-and-answer protocol
  Connection(EventLoops loops, SocketChannel channel, SocketOptions options, int readAhead) {
    this.loops = loops;
    this.channel = channel;
    this.readAhead = readAhead;
    this.remoteAddress = ProxyHeaderReader.remoteAddress(channel);
    this.localAddress = ProxyHeaderReader.localAddress(channel);
    options.applyTo(channel, loops.readSize(options));
    channel.pipeline().addLast("connection", new Inbound());
    channel.closeFuture().addListener(_ -> closed.complete(null));
  }

  /// The peer's address, or the client's where a trusted peer said it with a header of the PROXY
  /// protocol.
  public final InetSocketAddress remoteAddress() {
    return remoteAddress;
  }

  /// The socket's own address, or the one that the client connected to where a trusted peer said it
  /// with a header of the PROXY protocol.
  public final InetSocketAddress localAddress() {
    return localAddress;
  }

  /// Hands the connection to `loop`, from none (just accepted) or from another; no flow may be
  /// running.
  public final CompletionStage<Void> register(Loop loop) {
    var result = new CompletableFuture<Void>();
    if (!channel.isRegistered()) {
      registerNow(loop, result);
    } else if (channel.eventLoop().equals(loop.eventLoop())) {
      result.complete(null);
    } else {
      channel.deregister().addListener(done -> registerNow(loop, result));
    }
    return result;
  }

  private void registerNow(Loop loop, CompletableFuture<Void> result) {
    loop.eventLoop()
        .register(channel)
        .addListener(done -> {
          readPending = false;
          socket = null;
          if (done.isSuccess()) {
            result.complete(null);
          } else {
            result.completeExceptionally(new ConnectionLost("lost before it was served"));
          }
        });
  }

  /// The loop that serves this connection.
  public final Loop loop() {
    return loops.loopOf(channel);
  }

  /// What travels over this connection; runs on [#loop]. The end of input completes the flow's
  /// outlet while the inlet goes on, and the reverse; a failed inlet resets the connection, except
  /// [Detach]. A connection that is lost fails the flow with [ConnectionLost].
  public final Flow<T, T, NotUsed> flow() {
    lends = false;
    return Flow.fromGraph(new ConnectionFlow<>(this));
  }

  /// As [#flow], at the speed of memory that is used again: what comes out of it is lent, see
  /// [ReadMemory]. Whoever runs it passes every byte on at most once, to a connection of the same
  /// loop or elsewhere, and never looks at it afterwards.
  public final Flow<T, T, NotUsed> lendingFlow() {
    lends = true;
    return Flow.fromGraph(new ConnectionFlow<>(this));
  }

  /// Runs `action` when the socket is closed, for whatever reason, on the thread that closes it.
  public final void onClosed(Runnable action) {
    closed.thenRun(action);
  }

  /// Runs `action` on [#loop] when nothing came or went for `timeout` (and up to an eighth of it
  /// more), once; not any more when the connection is closed or handed to another loop, or when
  /// this is called again. To be called on the loop.
  ///
  /// @param timeout at least a millisecond
  public final void onIdle(Duration timeout, Runnable action) {
    Loop watching = loop();
    if (endIdleWatch == null) {
      onClosed(this::endIdleWatch);
    } else {
      endIdleWatch();
    }
    IdleWatch.Handle watch =
        watching
            .idleWatch()
            .watch(
                () -> moves,
                timeout,
                () -> {
                  if (channel.isOpen() && channel.eventLoop().equals(watching.eventLoop())) {
                    action.run();
                  }
                });
    endIdleWatch = () -> watching.run(watch::end);
  }

  private void endIdleWatch() {
    if (endIdleWatch != null) {
      endIdleWatch.run();
    }
  }

  /// Cuts the connection with RST: the peer learns that this was no orderly end. Any thread.
  public final void reset() {
    if (channel.isOpen()) {
      channel.config().setOption(ChannelOption.SO_LINGER, 0);
      if (channel.isRegistered()) {
        channel.close();
      } else {
        // Netty tells nobody of the end of a channel without a loop.
        channel.unsafe().closeForcibly();
        closed.complete(null);
      }
    }
  }

  // --- for ConnectionFlow, on the loop ---

  /// Ends our direction after what was written; `done` runs on the loop.
  abstract void finish(Runnable done);

  /// Whether a socket that is closed now was closed in order.
  boolean isOver() {
    return inputEnded;
  }

  /// Closes for good after both directions ended.
  abstract void close();

  abstract int sizeOf(T message);

  /// What goes to the channel for `message`, whose bytes go back to the loop's memory: here, when
  /// they are copied, else once they are sent.
  abstract Object encode(T message);

  /// What goes to the channel for bytes that need nothing around them.
  final Object encodeBytes(ByteBuffer... parts) {
    ReadMemory memory = loop().readMemory();
    int length = 0;
    for (ByteBuffer part : parts) {
      length += part.remaining();
    }
    if (length >= ArrayMessage.SMALLEST && writesArrays()) {
      return new ArrayMessage(descriptor(), memory, parts);
    }
    ByteBuf bytes = channel.alloc().directBuffer(length);
    for (ByteBuffer part : parts) {
      bytes.writeBytes(part.array(), part.arrayOffset() + part.position(), part.remaining());
      memory.giveBack(part);
    }
    return bytes;
  }

  /// Takes what came from the channel and calls [#enqueue], or not.
  ///
  /// @param bytes a view of an array, given away
  abstract void received(ByteBuffer bytes);

  final void attach(Runnable changed) {
    onChange = changed;
  }

  final void detach() {
    onChange = null;
  }

  final @Nullable T poll() {
    T first = head;
    if (first == null) {
      return null;
    }
    waiting -= sizeOf(first);
    head = tail == null ? null : tail.poll();
    return first;
  }

  final boolean atEnd() {
    return head == null && inputEnded;
  }

  final @Nullable RuntimeException failure() {
    return failure;
  }

  final boolean writable() {
    return channel.isWritable();
  }

  final void requestRead() {
    if (readPending || inputEnded || failure != null) {
      return;
    }
    readPending = true;
    if (socket == null && !throughNetty) {
      chooseReads();
    }
    if (socket == null) {
      channel.read();
    } else {
      socket.take(this::readPastNetty);
    }
  }

  /// TLS needs Netty's way, and so does every system that has no epoll.
  private void chooseReads() {
    EpollInterest epoll = loop().epoll();
    throughNetty = epoll == null || channel.pipeline().get(SslHandler.class) != null;
    if (epoll != null && !throughNetty) {
      socket = epoll.socket(((UnixChannel) channel).fd());
    }
  }

  /// Whether something was read.
  private boolean readPastNetty() {
    int most =
        ((ReadSize) channel.config().<RecvByteBufAllocator>getRecvByteBufAllocator()).bound();
    ReadMemory memory = loop().readMemory();
    ByteBuffer bytes =
        lends ? memory.receive(descriptor(), most) : memory.receiveAlone(descriptor(), most);
    if (bytes == null) {
      return false;
    }
    readPending = false;
    received(bytes);
    readComplete();
    return true;
  }

  private void readComplete() {
    if (waiting <= readAhead) {
      readPending = false;
      requestRead();
    }
    changed();
  }

  /// Whether messages of arrays may go to the channel as they are.
  final boolean writesArrays() {
    return channel instanceof EpollSocketChannel
        && channel.pipeline().get(SslHandler.class) == null;
  }

  final int descriptor() {
    return ((UnixChannel) channel).fd().intValue();
  }

  /// Writes, and flushes once at the end of what this loop is doing now.
  final void write(T message) {
    moves++;
    Object encoded = encode(message);
    if (lastWritten != null) {
      lastWritten.followed();
    }
    lastWritten = encoded instanceof ArrayMessage array ? array : null;
    channel.write(encoded, channel.voidPromise());
    if (!flushPending) {
      flushPending = true;
      channel
          .eventLoop()
          .execute(() -> {
            flushPending = false;
            lastWritten = null;
            channel.flush();
          });
    }
  }

  // --- for the kinds of connections ---

  final SocketChannel channel() {
    return channel;
  }

  final void enqueue(T message) {
    moves++;
    waiting += sizeOf(message);
    if (head == null) {
      head = message;
    } else {
      if (tail == null) {
        tail = new ArrayDeque<>(2);
      }
      tail.add(message);
    }
  }

  final void endInput() {
    if (!inputEnded && failure == null) {
      inputEnded = true;
      changed();
    }
  }

  final void fail(RuntimeException cause) {
    if (failure == null) {
      failure = cause;
      changed();
    }
  }

  private void changed() {
    if (onChange != null) {
      onChange.run();
    }
  }

  private final class Inbound extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      readPending = false;
      if (message instanceof ByteBuf bytes) {
        received(Buffers.toHeap(bytes));
      } else {
        ReferenceCountUtil.release(message);
        fail(new ConnectionLost("a message before the upgrade was answered"));
      }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
      readComplete();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
      if (channel.isWritable()) {
        changed();
      }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event instanceof ChannelInputShutdownEvent || event instanceof SslCloseCompletionEvent) {
        endInput();
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      if (!isOver()) {
        fail(new ConnectionLost("closed"));
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      fail(explain(cause));
    }
  }

  /// The failure that the flow shows for what the channel threw.
  RuntimeException explain(Throwable cause) {
    return new ConnectionLost(String.valueOf(cause.getMessage()));
  }
}
