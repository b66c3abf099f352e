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
import java.util.concurrent.atomic.AtomicLong;

/// A UDP socket on a free loopback port that counts what comes, on a thread of its own, and sends
/// bursts. Any thread may call.
final class UdpPeer implements AutoCloseable {
  private static final int SOCKET_BUFFER = 4 * 1024 * 1024;

  private final DatagramChannel channel;
  private final AtomicInteger received = new AtomicInteger();
  private final AtomicLong bytes = new AtomicLong();
  private volatile SocketAddress lastSender;

  private UdpPeer(DatagramChannel channel) {
    this.channel = channel;
  }

  static UdpPeer open() throws IOException {
    var channel = DatagramChannel.open();
    channel.setOption(StandardSocketOptions.SO_RCVBUF, SOCKET_BUFFER);
    channel.setOption(StandardSocketOptions.SO_SNDBUF, SOCKET_BUFFER);
    channel.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    var peer = new UdpPeer(channel);
    Thread.ofPlatform().daemon().name("udp-peer").start(peer::count);
    return peer;
  }

  int port() {
    return channel.socket().getLocalPort();
  }

  /// How many datagrams have come.
  int received() {
    return received.get();
  }

  /// How many bytes they had together.
  long bytes() {
    return bytes.get();
  }

  /// Where the latest of them came from.
  SocketAddress lastSender() {
    return lastSender;
  }

  /// Sends so many datagrams of `size` bytes, one right behind the other.
  void send(SocketAddress to, int datagrams, int size) throws IOException {
    for (int i = 0; i < datagrams; i++) {
      channel.send(ByteBuffer.allocate(size), to);
    }
  }

  private void count() {
    var buffer = ByteBuffer.allocateDirect(64 * 1024);
    try {
      while (true) {
        lastSender = channel.receive(buffer.clear());
        bytes.addAndGet(buffer.position());
        received.incrementAndGet();
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
