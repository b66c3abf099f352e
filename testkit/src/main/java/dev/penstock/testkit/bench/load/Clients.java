package dev.penstock.testkit.bench.load;

import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;

/// Opens blocking connections through a tunnel; every one has answered, or was told its mode,
/// before it is handed out.
public final class Clients {
  private Clients() {}

  /// Sends one byte through the tunnel and waits for its echo.
  ///
  /// @throws IOException when it is refused, cut, or not answered in time
  public static void echoOnce(int port, Duration timeout) throws IOException {
    try (var channel = SocketChannel.open();
        var _ = Deadline.closing(channel, timeout)) {
      connect(channel, port, Mode.ECHO);
      readFully(channel, ByteBuffer.allocate(1));
    }
  }

  /// A connection whose target side echoes, with the first echo already read.
  static SocketChannel echoing(SocketChannel channel, int port) throws IOException {
    connect(channel, port, Mode.ECHO);
    readFully(channel, ByteBuffer.allocate(1));
    return channel;
  }

  static SocketChannel connect(SocketChannel channel, int port, Mode mode) throws IOException {
    channel.connect(loopback(port));
    channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
    channel.write(ByteBuffer.wrap(new byte[] {mode.wire}));
    return channel;
  }

  static InetSocketAddress loopback(int port) {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
  }

  static void readFully(SocketChannel channel, ByteBuffer into) throws IOException {
    while (into.hasRemaining()) {
      if (channel.read(into) < 0) {
        throw new EOFException("connection ended (expected: " + into.remaining() + " more bytes)");
      }
    }
  }
}
