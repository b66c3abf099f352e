package dev.penstock.protocol.net;

import io.netty.channel.Channel;
import io.netty.channel.socket.SocketChannel;
import java.util.LinkedHashSet;
import org.jspecify.annotations.Nullable;

/// The connections of a port that are no WebSockets, or not yet: so many and no more. Safe for use
/// by several threads.
final class Unupgraded {
  private final int most;

  /// Oldest first.
  private final LinkedHashSet<SocketChannel> channels = new LinkedHashSet<>();

  /// @param most at least 1
  Unupgraded(int most) {
    this.most = most;
  }

  /// Adds a new one until it is closed or [#remove]d.
  ///
  /// @return the one that has to go for it: the oldest; null when there is room
  @Nullable SocketChannel add(SocketChannel channel) {
    SocketChannel oldest = null;
    synchronized (channels) {
      if (channels.size() >= most) {
        oldest = channels.removeFirst();
      }
      channels.add(channel);
    }
    channel.closeFuture().addListener(_ -> remove(channel));
    return oldest;
  }

  /// It has become a WebSocket.
  void remove(Channel channel) {
    synchronized (channels) {
      channels.remove(channel);
    }
  }
}
