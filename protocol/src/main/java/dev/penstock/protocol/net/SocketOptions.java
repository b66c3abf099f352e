package dev.penstock.protocol.net;

import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelConfig;
import io.netty.channel.ChannelOption;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollSocketChannel;

/// The options of the two kinds of sockets.
enum SocketOptions {
  /// A client's or a service's connection: small buffers, because there are tens of thousands.
  STREAM(64 * 1024),
  /// A link, which carries them all.
  LINK(256 * 1024);

  /// Bytes that the kernel may hold unsent for a link: what waits longer waits in the session,
  /// where a keystroke can still overtake bulk data.
  private static final int LINK_UNSENT_BYTES = 256 * 1024;

  private final int readBytes;

  /// @param readBytes the largest read, and what may wait on its way out before the socket counts
  ///   as not writable
  SocketOptions(int readBytes) {
    this.readBytes = readBytes;
  }

  void applyTo(Channel channel) {
    ChannelConfig config = channel.config();
    config.setAutoRead(false);
    config.setOption(ChannelOption.TCP_NODELAY, true);
    config.setOption(ChannelOption.SO_KEEPALIVE, true);
    config.setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
    config.setRecvByteBufAllocator(
        new AdaptiveRecvByteBufAllocator(512, 2048, readBytes).maxMessagesPerRead(1));
    config.setWriteBufferWaterMark(new WriteBufferWaterMark(readBytes / 2, readBytes));
    if (this == LINK && channel instanceof EpollSocketChannel) {
      config.setOption(EpollChannelOption.TCP_NOTSENT_LOWAT, (long) LINK_UNSENT_BYTES);
    }
  }
}
