package dev.penstock.protocol.net;

import io.netty.buffer.Unpooled;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.ssl.SslHandler;
import java.nio.ByteBuffer;

/// One TCP connection, with TLS on it or not, that carries what binary messages carry and nothing
/// around it: the carrier of a link whose ends agreed on everything with a [Preface]. Control
/// messages have no place here: texts are not sent, and a close message only ends the connection.
///
/// Memory: as a [WebSocketConnection].
public final class BareConnection extends Connection<WebSocketMessage> {
  private static final int READ_AHEAD = 64 * 1024;

  BareConnection(EventLoops loops, SocketChannel channel) {
    super(loops, channel, SocketOptions.LINK, READ_AHEAD);
  }

  @Override
  int sizeOf(WebSocketMessage message) {
    return message instanceof WebSocketMessage.Binary(var parts) ? parts[0].remaining() : 0;
  }

  @Override
  Object encode(WebSocketMessage message) {
    return message instanceof WebSocketMessage.Binary(var parts)
        ? encodeBytes(parts)
        : Unpooled.EMPTY_BUFFER;
  }

  @Override
  void received(ByteBuffer bytes) {
    if (bytes.hasRemaining()) {
      enqueue(new WebSocketMessage.Binary(new ByteBuffer[] {bytes}));
    }
  }

  /// Links have no half-close: what the peer still says is of no use to anybody.
  @Override
  void finish(Runnable done) {
    channel()
        .writeAndFlush(Unpooled.EMPTY_BUFFER)
        .addListener(_ -> {
          var tls = channel().pipeline().get(SslHandler.class);
          if (tls != null) {
            tls.closeOutbound();
          } else if (channel().isOpen()) {
            channel().shutdownOutput();
          }
          endInput();
          done.run();
        });
  }

  @Override
  void close() {
    channel().close();
  }
}
