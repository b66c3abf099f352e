package dev.penstock.testkit.bench.load;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// Connections that have echoed one byte and then rest. One thread at a time.
public final class IdleConnections implements AutoCloseable {
  private static final Duration SETUP = Duration.ofSeconds(20);

  /// Loopback addresses 127.0.0.2 and up: ten thousand connections from one address would take a
  /// third of its ephemeral ports.
  private static final int SOURCE_ADDRESSES = 8;

  private static final int BATCH = 32;

  private final int port;
  private final List<SocketChannel> channels = new ArrayList<>();

  /// None yet, to this port.
  public IdleConnections(int port) {
    this.port = port;
  }

  /// Opens more until there are `count`, 32 at a time: over a link that delays small packets, one
  /// after another would take minutes.
  public void growTo(int count) throws IOException {
    while (channels.size() < count) {
      int held = channels.size();
      try {
        while (channels.size() < Math.min(count, held + BATCH)) {
          open();
        }
        for (var channel : channels.subList(held, channels.size())) {
          try (var _ = Deadline.closing(channel, SETUP)) {
            Clients.readFully(channel, ByteBuffer.allocate(1));
          }
        }
      } catch (IOException e) {
        throw new IOException("after " + held + " idle connections: " + e.getMessage(), e);
      }
    }
  }

  private void open() throws IOException {
    var channel = SocketChannel.open();
    channels.add(channel);
    int host = 2 + channels.size() % SOURCE_ADDRESSES;
    channel.bind(new InetSocketAddress("127.0.0." + host, 0));
    try (var _ = Deadline.closing(channel, SETUP)) {
      Clients.connect(channel, port, Mode.ECHO);
    }
  }

  static void closeAll(List<SocketChannel> channels) {
    for (var channel : channels) {
      try {
        channel.close();
      } catch (IOException e) {
        System.err.println("close failed: " + e);
      }
    }
  }

  /// Closes them all.
  @Override
  public void close() {
    closeAll(channels);
  }
}
