package dev.penstock.protocol.net;

import io.netty.channel.Channel;
import io.netty.channel.ChannelConfig;
import io.netty.channel.ChannelOption;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.nio.NioChannelOption;
import java.time.Duration;
import jdk.net.ExtendedSocketOptions;

/// The options of the two kinds of sockets.
enum SocketOptions {
  /// A client's or a service's connection: little may wait on its way out, because there are tens
  /// of thousands.
  STREAM(64 * 1024),
  /// A link, which carries them all.
  LINK(256 * 1024);

  /// Bytes that the kernel may hold unsent for a link: what waits longer waits in the session,
  /// where a keystroke can still overtake bulk data.
  private static final int LINK_UNSENT_BYTES = 256 * 1024;

  private final int unsentBytes;

  /// @param unsentBytes what may wait on its way out before the socket counts as not writable
  SocketOptions(int unsentBytes) {
    this.unsentBytes = unsentBytes;
  }

  void applyTo(Channel channel, ReadSize readSize) {
    ChannelConfig config = channel.config();
    config.setAutoRead(false);
    config.setOption(ChannelOption.TCP_NODELAY, true);
    config.setOption(ChannelOption.SO_KEEPALIVE, true);
    config.setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
    config.setRecvByteBufAllocator(readSize);
    readSize.opened(1);
    channel.closeFuture().addListener(_ -> readSize.opened(-1));
    config.setWriteBufferWaterMark(new WriteBufferWaterMark(unsentBytes / 2, unsentBytes));
    if (this == LINK && channel instanceof EpollSocketChannel) {
      config.setOption(EpollChannelOption.TCP_NOTSENT_LOWAT, (long) LINK_UNSENT_BYTES);
    }
  }

  /// What one connection is told beyond its kind.
  static void apply(TcpOptions options, Channel channel, ReadSize readSize) {
    ChannelConfig config = channel.config();
    if (options.largestRead() > 0) {
      config.setRecvByteBufAllocator(readSize.atMost(options.largestRead()));
    }
    Duration keepAlive = options.keepAlive();
    config.setOption(ChannelOption.SO_KEEPALIVE, keepAlive != null);
    if (keepAlive != null) {
      int seconds = Math.toIntExact(keepAlive.toSeconds());
      if (channel instanceof EpollSocketChannel) {
        config.setOption(EpollChannelOption.TCP_KEEPIDLE, seconds);
        config.setOption(EpollChannelOption.TCP_KEEPINTVL, seconds);
      } else {
        config.setOption(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPIDLE), seconds);
        config.setOption(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPINTERVAL), seconds);
      }
    }
  }
}
