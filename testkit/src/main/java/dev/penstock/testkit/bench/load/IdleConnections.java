package dev.penstock.testkit.bench.load;

import java.io.IOException;
import java.net.InetSocketAddress;
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

  private final int port;
  private final List<SocketChannel> channels = new ArrayList<>();

  /// None yet, to this port.
  public IdleConnections(int port) {
    this.port = port;
  }

  /// Opens more, one after another, until there are `count`.
  public void growTo(int count) throws IOException {
    while (channels.size() < count) {
      var channel = SocketChannel.open();
      channels.add(channel);
      int host = 2 + channels.size() % SOURCE_ADDRESSES;
      channel.bind(new InetSocketAddress("127.0.0." + host, 0));
      try (var _ = Deadline.closing(channel, SETUP)) {
        Clients.echoing(channel, port);
      } catch (IOException e) {
        throw new IOException("idle connection " + channels.size() + ": " + e.getMessage(), e);
      }
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
