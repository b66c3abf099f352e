package dev.penstock.protocol.net;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.penstock.protocol.control.CallerAddress;
import dev.penstock.protocol.net.ProxyFront.Refusal;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.codec.haproxy.HAProxyCommand;
import io.netty.handler.codec.haproxy.HAProxyMessage;
import io.netty.handler.codec.haproxy.HAProxyMessageDecoder;
import io.netty.util.AttributeKey;
import io.netty.util.NetUtil;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// Reads the header of the PROXY protocol off the front of one listener's connections. What follows
/// a header goes on through the pipeline as if it had come first; the addresses of the header stand
/// for those of the socket from then on, see [#remoteAddress].
///
/// Memory: at most [#MAX_WAITING] connections wait for their header at a time, with at most
/// [#MAX_TLVS] and one read each. Any thread.
final class ProxyHeaderReader {
  /// Connections that wait for their header at a time.
  static final int MAX_WAITING = 4096;

  /// Bytes of a header behind its addresses; they are skipped.
  static final int MAX_TLVS = 4096;

  private static final byte[] V1 = "PROXY ".getBytes(US_ASCII);
  private static final byte[] V2 = "\r\n\r\n\0\r\nQUIT\n".getBytes(US_ASCII);
  private static final AttributeKey<CallerAddress> CALLER =
      AttributeKey.valueOf(ProxyHeaderReader.class, "caller");

  private final ProxyFront front;
  private final Outcome outcome;
  private final AtomicInteger waiting = new AtomicInteger();

  /// Told once of every connection, on the loop of the listener or that of the connection.
  interface Outcome {
    /// There was a header, or there is none; what was read waits to go on through the pipeline. The
    /// handlers that want it must be in place when this returns. The options are those of a socket
    /// that was just accepted.
    void accepted(SocketChannel channel);

    /// The channel is closed, with RST.
    void refused(InetSocketAddress peer, Refusal why);
  }

  ProxyHeaderReader(ProxyFront front, Outcome outcome) {
    this.front = front;
    this.outcome = outcome;
  }

  /// Where the client is: what the header said, else the socket's peer.
  static InetSocketAddress remoteAddress(SocketChannel channel) {
    return channel.hasAttr(CALLER) ? channel.attr(CALLER).get().client() : channel.remoteAddress();
  }

  /// Where the client connected to: what the header said, else the socket's own address.
  static InetSocketAddress localAddress(SocketChannel channel) {
    return channel.hasAttr(CALLER) ? channel.attr(CALLER).get().listener() : channel.localAddress();
  }

  /// Takes a connection that was just accepted and belongs to no loop yet. One of a trusted peer is
  /// registered on `loop` before [Outcome] hears of it, any other is as it was.
  void take(SocketChannel channel, Loop loop) {
    InetSocketAddress peer = channel.remoteAddress();
    if (peer == null) {
      // A client that left between accept and here has no address any more.
      channel.unsafe().closeForcibly();
    } else if (front.trusted().test(peer.getAddress())) {
      read(channel, peer, loop);
    } else if (front.mode() == ProxyFront.Mode.REQUIRED) {
      refuse(channel, Refusal.UNTRUSTED);
    } else {
      outcome.accepted(channel);
    }
  }

  private void refuse(SocketChannel unregistered, Refusal why) {
    InetSocketAddress peer = unregistered.remoteAddress();
    unregistered.config().setSoLinger(0);
    unregistered.unsafe().closeForcibly();
    outcome.refused(peer, why);
  }

  private void read(SocketChannel channel, InetSocketAddress peer, Loop loop) {
    if (waiting.incrementAndGet() > MAX_WAITING) {
      waiting.decrementAndGet();
      refuse(channel, Refusal.TOO_MANY);
      return;
    }
    var one = new One(channel, peer);
    // However it is cut before it is accepted, by Netty's decoder too, it is cut with RST. And a
    // client that has said all behind its header may still wait for the answer.
    channel.config().setSoLinger(0);
    channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
    channel.pipeline().addFirst(one.new Beginning(), one);
    loop.eventLoop()
        .register(channel)
        .addListener(done -> {
          if (done.isSuccess()) {
            one.start();
          } else {
            one.refuse(Refusal.GONE);
          }
        });
  }

  /// One connection, until it is accepted or refused.
  private final class One extends ChannelInboundHandlerAdapter {
    private final SocketChannel channel;
    private final InetSocketAddress peer;
    private @Nullable Future<?> timer;
    private boolean begun;
    private boolean over;

    One(SocketChannel channel, InetSocketAddress peer) {
      this.channel = channel;
      this.peer = peer;
    }

    void start() {
      timer =
          channel
              .eventLoop()
              .schedule(this::timedOut, front.timeout().toNanos(), TimeUnit.NANOSECONDS);
      channel.read();
    }

    private void timedOut() {
      if (!begun && front.mode() == ProxyFront.Mode.OPTIONAL) {
        // Where the server speaks first the client may well say nothing.
        accept();
        channel.pipeline().remove(Beginning.class);
      } else {
        refuse(Refusal.TIMED_OUT);
      }
    }

    private void accept() {
      if (end()) {
        channel.pipeline().remove(this);
        channel.config().setSoLinger(-1);
        channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, false);
        outcome.accepted(channel);
      }
    }

    void refuse(Refusal why) {
      if (end()) {
        channel.close();
        outcome.refused(peer, why);
      }
    }

    private boolean end() {
      if (over) {
        return false;
      }
      over = true;
      waiting.decrementAndGet();
      if (timer != null) {
        timer.cancel(false);
      }
      return true;
    }

    /// The header, from Netty's decoder.
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      if (!(message instanceof HAProxyMessage header)) {
        context.fireChannelRead(message);
        return;
      }
      try {
        CallerAddress caller = caller(header);
        if (caller != null) {
          channel.attr(CALLER).set(caller);
        }
      } finally {
        header.release();
      }
      accept();
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event instanceof ChannelInputShutdownEvent) {
        refuse(begun ? Refusal.MALFORMED : Refusal.GONE);
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      refuse(begun ? Refusal.MALFORMED : Refusal.GONE);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      refuse(begun ? Refusal.MALFORMED : Refusal.GONE);
    }

    /// Looks at the first bytes: is this a header, and of which version?
    private final class Beginning extends ByteToMessageDecoder {
      private boolean decided;

      @Override
      protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
        if (decided || !in.isReadable()) {
          return;
        }
        boolean maybeOne = beginsAs(in, V1);
        boolean maybeTwo = beginsAs(in, V2);
        if (!maybeOne && !maybeTwo) {
          decided = true;
          if (front.mode() == ProxyFront.Mode.REQUIRED) {
            in.skipBytes(in.readableBytes());
            refuse(Refusal.MISSING);
          } else {
            accept();
            context.pipeline().remove(this);
          }
          return;
        }
        begun = true;
        if (in.readableBytes() >= (maybeOne ? V1 : V2).length) {
          decided = true;
          context.pipeline().addAfter(context.name(), null, new HAProxyMessageDecoder(MAX_TLVS));
          context.pipeline().remove(this); // hands the bytes on
        }
      }
    }
  }

  private static boolean beginsAs(ByteBuf in, byte[] signature) {
    int length = Math.min(in.readableBytes(), signature.length);
    for (int i = 0; i < length; i++) {
      if (in.getByte(in.readerIndex() + i) != signature[i]) {
        return false;
      }
    }
    return true;
  }

  /// Null where the real addresses are to be kept: for LOCAL and UNKNOWN, and for what is no TCP.
  private static @Nullable CallerAddress caller(HAProxyMessage header) {
    if (header.command() == HAProxyCommand.LOCAL) {
      return null;
    }
    return switch (header.proxiedProtocol()) {
      case TCP4, TCP6 ->
          new CallerAddress(
              address(header.sourceAddress(), header.sourcePort()),
              address(header.destinationAddress(), header.destinationPort()));
      case UNKNOWN, UDP4, UDP6, UNIX_STREAM, UNIX_DGRAM -> null;
    };
  }

  private static InetSocketAddress address(String literal, int port) {
    try {
      byte[] bytes = NetUtil.createByteArrayFromIpAddressString(literal);
      return new InetSocketAddress(InetAddress.getByAddress(bytes), port);
    } catch (UnknownHostException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
