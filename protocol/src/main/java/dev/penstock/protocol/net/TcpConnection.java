package dev.penstock.protocol.net;

import io.netty.buffer.Unpooled;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.ssl.SslHandler;
import java.nio.ByteBuffer;

/// One TCP connection, with TLS on it or not, as a flow of bytes. Half-close travels both ways;
/// with TLS as close_notify.
///
/// Memory: at most 16 KiB and one read ([ReadSize]) wait here for demand, and on their way out at
/// most 64 KiB and one message.
public final class TcpConnection extends Connection<ByteBuffer> {
  private static final int READ_AHEAD = 16 * 1024;

  private boolean outputEnded;

  TcpConnection(EventLoops loops, SocketChannel channel, SocketOptions options) {
    super(loops, channel, options, READ_AHEAD);
  }

  /// Writes at once, ahead of everything that the flow will. To be called on the [#loop], before
  /// the flow runs.
  public void writeFirst(ByteBuffer bytes) {
    write(bytes);
  }

  @Override
  int sizeOf(ByteBuffer bytes) {
    return bytes.remaining();
  }

  @Override
  Object encode(ByteBuffer bytes) {
    return encodeBytes(bytes);
  }

  @Override
  void received(ByteBuffer bytes) {
    enqueue(bytes);
  }

  @Override
  void finish(Runnable done) {
    channel()
        .writeAndFlush(Unpooled.EMPTY_BUFFER)
        .addListener(written -> {
          var tls = channel().pipeline().get(SslHandler.class);
          if (tls != null) {
            tls.closeOutbound();
          } else if (channel().isOpen() && !atEnd()) {
            channel().shutdownOutput();
          }
          // Where both directions have ended, the close that follows is our FIN.
          outputEnded = true;
          done.run();
        });
  }

  /// A connection that is cut between the end of its input and that of its output is lost.
  @Override
  boolean isOver() {
    return super.isOver() && outputEnded;
  }

  @Override
  void close() {
    channel().close();
  }
}
