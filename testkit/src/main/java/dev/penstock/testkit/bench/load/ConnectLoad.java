package dev.penstock.testkit.bench.load;

import static java.nio.channels.SelectionKey.OP_CONNECT;
import static java.nio.channels.SelectionKey.OP_READ;

import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;

/// Clients that connect, send one byte, read its echo, close, and begin again; all in the caller's
/// thread.
public final class ConnectLoad {
  private static final long POLL_MILLIS = 50;

  private final int port;
  private final Selector selector;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(1);
  private int ended;
  private long rounds;

  private ConnectLoad(int port, Selector selector) {
    this.port = port;
    this.selector = selector;
  }

  /// Connects for `warm` without counting, then for `window`.
  ///
  /// @param clients how many connections are under way at any time
  /// @return full rounds per second
  public static double run(int port, int clients, Duration warm, Duration window)
      throws IOException {
    try (var selector = Selector.open()) {
      var load = new ConnectLoad(port, selector);
      load.ended = clients;
      try {
        load.drive(warm);
        return load.drive(window);
      } finally {
        for (var key : new ArrayList<>(selector.keys())) {
          key.channel().close();
        }
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private double drive(Duration time) throws IOException {
    rounds = 0;
    long start = System.nanoTime();
    long now = start;
    while (now - start < time.toNanos()) {
      for (; ended > 0; ended--) {
        begin();
      }
      selector.select(this::advance, POLL_MILLIS);
      now = System.nanoTime();
    }
    return rounds * 1e9 / (now - start);
  }

  private void begin() throws IOException {
    var channel = SocketChannel.open();
    channel.configureBlocking(false);
    channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
    if (channel.connect(Clients.loopback(port))) {
      greet(channel);
      channel.register(selector, OP_READ);
    } else {
      channel.register(selector, OP_CONNECT);
    }
  }

  private void greet(SocketChannel channel) throws IOException {
    buffer.clear().put(0, Mode.ECHO.wire);
    channel.write(buffer);
  }

  private void advance(SelectionKey key) {
    var channel = (SocketChannel) key.channel();
    try {
      if (key.isConnectable()) {
        channel.finishConnect();
        greet(channel);
        key.interestOps(OP_READ);
      } else {
        int count = channel.read(buffer.clear());
        if (count < 0) {
          throw new EOFException("a client was cut before its echo");
        }
        if (count > 0) {
          channel.close();
          rounds++;
          ended++;
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
