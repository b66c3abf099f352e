package dev.penstock.protocol.net;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.socket.DatagramChannel;
import io.netty.channel.socket.DatagramPacket;
import io.netty.channel.unix.RawUnixChannelOption;
import io.netty.channel.unix.SegmentedDatagramPacket;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/// A UDP socket: a bound port that many clients send to, or one that is connected to a service.
/// Always reads; whoever receives decides what is kept. What is sent during one turn of the loop
/// leaves with few system calls: equal sizes as one run that the kernel or the card cuts (GSO), the
/// rest in one call for all (sendmmsg).
///
/// Thread rule: everything but [#close] and [#address] belongs to the socket's loop.
public final class UdpSocket {
  /// Who takes what a socket receives; called on its loop.
  public interface Receiver {
    /// One datagram, which is the receiver's to keep.
    void received(ByteBuffer datagram, InetSocketAddress from);

    /// The last [#received] of this turn was called.
    void receivedAll();

    /// The system refused to send so many datagrams of so many bytes together.
    void notSent(int datagrams, int bytes);

    /// An error that concerns no datagram of ours, such as the answer that nobody listens at a
    /// connected socket's target; the socket goes on.
    void failed(String why);
  }

  private static final int SENT_HIGH = 4 * 1024 * 1024;

  /// Datagrams up to this size pass every path that IPv6 allows (RFC 8200 §5: 1280 bytes, less the
  /// headers), so a run of them is never refused for their size.
  private static final int LARGEST_OF_RUN = 1232;

  /// What the kernel takes as one run.
  private static final int LONGEST_RUN = 64;

  private static final int LARGEST_RUN_BYTES = 60 * 1024;

  /// `struct sk_meminfo` of Linux: nine 32 bit numbers, of which the last counts drops.
  private static final RawUnixChannelOption SO_MEMINFO =
      new RawUnixChannelOption("SO_MEMINFO", 1, 55, 36);

  private static final int DROPS_OFFSET = 32;

  private static final ByteBuffer EMPTY = ByteBuffer.allocateDirect(1);

  private final DatagramChannel channel;
  private final Receiver receiver;
  private final InetSocketAddress address;
  private final @Nullable InetSocketAddress remote;
  private final List<ByteBuffer> run = new ArrayList<>();
  private @Nullable InetSocketAddress runTo;
  private boolean runsTaken;
  private boolean flushPending;

  /// @param remote where a connected socket sends to
  UdpSocket(DatagramChannel channel, Receiver receiver, @Nullable InetSocketAddress remote) {
    this.channel = channel;
    this.receiver = receiver;
    this.address = channel.localAddress();
    this.remote = remote;
    this.runsTaken =
        channel instanceof EpollDatagramChannel
            && EpollDatagramChannel.isSegmentedDatagramPacketSupported();
    channel.pipeline().addLast("datagrams", new Inbound());
  }

  /// The options that a socket needs before it is bound or connected. UDP_GRO is not among them:
  /// Netty 4.2.18 loses the boundaries of what the kernel joined when it reads many at once.
  ///
  /// @param receiveBuffer bytes that the kernel is asked to hold for it; it may allow fewer
  static void prepare(DatagramChannel channel, int receiveBuffer) {
    var config = channel.config();
    config.setAutoRead(false);
    config.setOption(ChannelOption.SO_RCVBUF, receiveBuffer);
    config.setOption(ChannelOption.SO_SNDBUF, receiveBuffer);
    config.setWriteBufferWaterMark(new WriteBufferWaterMark(SENT_HIGH / 2, SENT_HIGH));
    if (channel instanceof EpollDatagramChannel) {
      config.setRecvByteBufAllocator(DatagramReads.batched());
      config.setOption(EpollChannelOption.MAX_DATAGRAM_PAYLOAD_SIZE, DatagramReads.SLOT);
    } else {
      config.setRecvByteBufAllocator(DatagramReads.single());
    }
  }

  void startReading() {
    channel.config().setAutoRead(true);
  }

  /// The address it is bound to.
  public InetSocketAddress address() {
    return address;
  }

  /// Whether little enough waits to be sent; what is sent beyond that takes memory.
  public boolean writable() {
    return channel.isWritable();
  }

  /// Sends to the target of a connected socket.
  public void send(ByteBuffer datagram) {
    if (remote == null) {
      throw new IllegalStateException("send: no target (expected: a connected socket)");
    }
    send(datagram, remote);
  }

  /// Sends with the end of this turn of the loop. One that cannot be sent is told to
  /// [Receiver#notSent].
  public void send(ByteBuffer datagram, InetSocketAddress to) {
    int size = datagram.remaining();
    if (size == 0) {
      writeEmpty(to);
    } else if (!runsTaken || size > LARGEST_OF_RUN) {
      writeRun();
      write(datagram, to);
    } else {
      if (!run.isEmpty() && !continuesRun(size, to)) {
        writeRun();
      }
      run.add(datagram);
      runTo = to;
    }
    if (!flushPending) {
      flushPending = true;
      channel.eventLoop().execute(this::flush);
    }
  }

  private boolean continuesRun(int size, InetSocketAddress to) {
    return run.getFirst().remaining() == size
        && run.size() < LONGEST_RUN
        && (run.size() + 1) * size <= LARGEST_RUN_BYTES
        && to.equals(runTo);
  }

  private void flush() {
    flushPending = false;
    writeRun();
    channel.flush();
  }

  private void writeRun() {
    InetSocketAddress to = runTo;
    if (run.isEmpty() || to == null) {
      return;
    }
    if (run.size() == 1) {
      write(run.getFirst(), to);
      run.clear();
      return;
    }
    int size = run.getFirst().remaining();
    List<ByteBuffer> datagrams = List.copyOf(run);
    run.clear();
    ByteBuf joined = channel.alloc().directBuffer(datagrams.size() * size);
    datagrams.forEach(datagram -> joined.writeBytes(datagram.duplicate()));
    channel
        .write(new SegmentedDatagramPacket(joined, size, to))
        .addListener((ChannelFuture done) -> {
          if (!done.isSuccess()) {
            runRefused(datagrams, to, done.cause());
          }
        });
  }

  /// Not every kind of interface takes runs: then from now on every datagram goes alone.
  private void runRefused(List<ByteBuffer> datagrams, InetSocketAddress to, Throwable why) {
    if (channel.isOpen() && !(why instanceof PortUnreachableException)) {
      runsTaken = false;
      datagrams.forEach(datagram -> send(datagram, to));
    } else {
      receiver.notSent(datagrams.size(), datagrams.stream().mapToInt(ByteBuffer::remaining).sum());
    }
  }

  private void write(ByteBuffer datagram, InetSocketAddress to) {
    int size = datagram.remaining();
    channel
        .write(new DatagramPacket(Unpooled.wrappedBuffer(datagram), to))
        .addListener(
            (ChannelFutureListener)
                done -> {
                  if (!done.isSuccess()) {
                    receiver.notSent(1, size);
                  }
                });
  }

  /// Netty takes an empty datagram for nothing to send, so it goes to the system at once, behind
  /// all that came before it. Where the transport is not native it counts as not sent.
  private void writeEmpty(InetSocketAddress to) {
    flush();
    try {
      if (channel instanceof EpollDatagramChannel epoll
          && epoll.fd() instanceof Socket socket
          && socket.sendTo(EMPTY, 0, 0, to.getAddress(), to.getPort()) == 0) {
        return;
      }
    } catch (IOException _) {
      // Told below, as any other.
    }
    receiver.notSent(1, 0);
  }

  /// Datagrams that the kernel has dropped because the receive buffer was full; 0 where it does not
  /// say.
  public long kernelDrops() {
    if (!(channel instanceof EpollDatagramChannel) || !channel.isOpen()) {
      return 0;
    }
    ByteBuffer info = channel.config().getOption(SO_MEMINFO);
    return info == null
        ? 0
        : Integer.toUnsignedLong(info.order(ByteOrder.nativeOrder()).getInt(DROPS_OFFSET));
  }

  /// Closes it; nothing is received afterwards. Any thread.
  public CompletionStage<Void> close() {
    var closed = new CompletableFuture<Void>();
    channel.close().addListener(_ -> closed.complete(null));
    return closed;
  }

  private final class Inbound extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      var packet = (DatagramPacket) message;
      InetSocketAddress from = packet.sender();
      receiver.received(Buffers.toHeap(packet.content()), from);
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
      receiver.receivedAll();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      receiver.failed(
          cause instanceof PortUnreachableException
              ? "nobody listens there"
              : String.valueOf(cause.getMessage()));
    }
  }
}
