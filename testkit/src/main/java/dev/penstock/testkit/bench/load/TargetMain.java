package dev.penstock.testkit.bench.load;

import static java.nio.channels.SelectionKey.OP_ACCEPT;
import static java.nio.channels.SelectionKey.OP_READ;
import static java.nio.channels.SelectionKey.OP_WRITE;
import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.penstock.testkit.Ports;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/// The service behind every measured tunnel, in a process of its own, on one port number for TCP
/// and UDP. Prints its port, then, for each empty line on standard input, the number of bytes its
/// sinks have taken, and for each line `datagrams` how many it has received; ends with its input.
///
/// Three threads: one for echoes, one for bulk, so that an echo never waits behind a bulk copy
/// here, and one for datagrams.
public final class TargetMain {
  private static final int CHUNK = 256 * 1024;
  private static final int BACKLOG = 4096;
  private static final int DATAGRAM_BUFFER = 8 * 1024 * 1024;

  private TargetMain() {}

  /// Runs until standard input ends.
  public static void main(String[] args) throws IOException {
    var taken = new LongAdder();
    var bulk = new Loop(null, taken);
    var echo = new Loop(bulk, taken);
    var datagrams = new LongAdder();
    var udp = DatagramChannel.open();
    udp.setOption(StandardSocketOptions.SO_RCVBUF, DATAGRAM_BUFFER);
    // Below the range of outgoing connections, which may have the number that UDP has free.
    udp.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), Ports.free()));
    var server = ServerSocketChannel.open();
    server.bind(udp.getLocalAddress(), BACKLOG);
    Thread.ofPlatform().daemon().name("datagrams").start(() -> count(udp, datagrams));
    server.configureBlocking(false);
    server.register(echo.selector, OP_ACCEPT);
    Thread.ofPlatform().daemon().name("bulk").start(bulk);
    Thread.ofPlatform().daemon().name("echo").start(echo);
    System.out.println(((InetSocketAddress) server.getLocalAddress()).getPort());
    var input = new BufferedReader(new InputStreamReader(System.in, US_ASCII));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      System.out.println(line.isEmpty() ? taken.sum() : datagrams.sum());
    }
  }

  private static void count(DatagramChannel udp, LongAdder datagrams) {
    var buffer = ByteBuffer.allocateDirect(CHUNK);
    try {
      while (true) {
        udp.receive(buffer.clear());
        datagrams.increment();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static final class Connection {
    final SocketChannel channel;
    @Nullable Mode mode;
    @Nullable ByteBuffer unsent;

    Connection(SocketChannel channel) {
      this.channel = channel;
    }
  }

  private static final class Loop implements Runnable {
    final Selector selector = Selector.open();
    private final @Nullable Loop bulk;
    private final LongAdder taken;
    private final Queue<Connection> arrivals = new ConcurrentLinkedQueue<>();
    private final ByteBuffer incoming = ByteBuffer.allocateDirect(CHUNK);
    private final ByteBuffer outgoing = ByteBuffer.allocateDirect(CHUNK);

    /// @param bulk where bulk connections go; null: they stay here
    Loop(@Nullable Loop bulk, LongAdder taken) throws IOException {
      this.bulk = bulk;
      this.taken = taken;
    }

    @Override
    public void run() {
      try {
        while (true) {
          selector.select(this::serve);
          for (var next = arrivals.poll(); next != null; next = arrivals.poll()) {
            adopt(next);
          }
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    private void adopt(Connection connection) throws IOException {
      int interest = connection.mode == Mode.SOURCE ? OP_READ | OP_WRITE : OP_READ;
      connection.channel.register(selector, interest, connection);
    }

    private void serve(SelectionKey key) {
      if (key.channel() instanceof ServerSocketChannel server) {
        accept(server);
        return;
      }
      var connection = (Connection) key.attachment();
      try {
        if (key.isReadable()) {
          read(key, connection);
        }
        if (key.isValid() && key.isWritable()) {
          write(key, connection);
        }
      } catch (IOException _) {
        close(connection.channel);
      }
    }

    private void accept(ServerSocketChannel server) {
      try {
        for (var channel = server.accept(); channel != null; channel = server.accept()) {
          channel.configureBlocking(false);
          channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
          channel.register(selector, OP_READ, new Connection(channel));
        }
      } catch (IOException e) {
        System.err.println("accept failed: " + e);
      }
    }

    private void read(SelectionKey key, Connection connection) throws IOException {
      incoming.clear();
      int count = connection.channel.read(incoming);
      if (count < 0) {
        connection.channel.close();
        return;
      }
      incoming.flip();
      if (connection.mode == null && incoming.hasRemaining()) {
        connection.mode = Mode.of(incoming.get(0));
        if (connection.mode != Mode.ECHO && bulk != null) {
          taken.add(count);
          key.cancel();
          bulk.arrivals.add(connection);
          bulk.selector.wakeup();
          return;
        }
      }
      if (connection.mode == Mode.ECHO) {
        echo(key, connection);
      } else {
        taken.add(count);
      }
    }

    private void echo(SelectionKey key, Connection connection) throws IOException {
      connection.channel.write(incoming);
      if (incoming.hasRemaining()) {
        connection.unsent = ByteBuffer.allocate(incoming.remaining()).put(incoming).flip();
        key.interestOps(OP_WRITE);
      }
    }

    private void write(SelectionKey key, Connection connection) throws IOException {
      if (connection.unsent != null) {
        connection.channel.write(connection.unsent);
        if (!connection.unsent.hasRemaining()) {
          connection.unsent = null;
          key.interestOps(OP_READ);
        }
        return;
      }
      outgoing.clear();
      connection.channel.write(outgoing);
    }

    private static void close(SocketChannel channel) {
      try {
        channel.close();
      } catch (IOException e) {
        System.err.println("close failed: " + e);
      }
    }
  }
}
