package dev.penstock.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.util.concurrent.atomic.AtomicInteger;

/// A UDP service on a free loopback port that sends every datagram back to its sender, from a
/// thread of its own and with nothing of Penstock. Any thread may call.
public final class UdpEcho implements AutoCloseable {
  private static final int SOCKET_BUFFER = 4 * 1024 * 1024;
  private static final int LARGEST = 65_536;

  private final DatagramChannel channel;
  private final int port;
  private final AtomicInteger answered = new AtomicInteger();

  private UdpEcho(DatagramChannel channel) throws IOException {
    this.channel = channel;
    this.port = ((InetSocketAddress) channel.getLocalAddress()).getPort();
  }

  /// Starts a service that answers from now on.
  public static UdpEcho start() {
    try {
      var channel = DatagramChannel.open();
      channel.setOption(StandardSocketOptions.SO_RCVBUF, SOCKET_BUFFER);
      channel.setOption(StandardSocketOptions.SO_SNDBUF, SOCKET_BUFFER);
      channel.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
      var echo = new UdpEcho(channel);
      Thread.ofPlatform().daemon().name("udp-echo").start(echo::serve);
      return echo;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Where it listens, as `host:port`.
  public String address() {
    return "127.0.0.1:" + port;
  }

  /// The port that it listens at.
  public int port() {
    return port;
  }

  /// How many datagrams it has sent back.
  public int answered() {
    return answered.get();
  }

  private void serve() {
    var buffer = ByteBuffer.allocateDirect(LARGEST);
    try {
      while (true) {
        SocketAddress client = channel.receive(buffer.clear());
        channel.send(buffer.flip(), client);
        answered.incrementAndGet();
      }
    } catch (IOException ended) {
      // Closed.
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
