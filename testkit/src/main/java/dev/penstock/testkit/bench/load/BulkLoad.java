package dev.penstock.testkit.bench.load;

import static java.nio.channels.SelectionKey.OP_READ;
import static java.nio.channels.SelectionKey.OP_WRITE;

import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// Streams at full speed until closed, driven by one thread. The methods are for one other thread.
public final class BulkLoad implements AutoCloseable {
  private static final int CHUNK = 256 * 1024;
  private static final Duration SETUP = Duration.ofSeconds(20);

  private final Direction direction;
  private final List<SocketChannel> channels = new ArrayList<>();
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(CHUNK);
  private final AtomicLong received = new AtomicLong();
  private final Selector selector;
  private final Thread thread;
  private volatile boolean closed;
  private volatile @Nullable IOException failure;

  private BulkLoad(Direction direction, Selector selector) {
    this.direction = direction;
    this.selector = selector;
    this.thread = Thread.ofPlatform().daemon().name("bulk-load").unstarted(this::run);
  }

  /// Opens `streams` connections through the tunnel and starts.
  public static BulkLoad start(int port, Direction direction, int streams) throws IOException {
    var load = new BulkLoad(direction, Selector.open());
    try {
      for (int i = 0; i < streams; i++) {
        load.open(port);
      }
    } catch (IOException e) {
      load.release();
      throw e;
    }
    load.thread.start();
    return load;
  }

  private void open(int port) throws IOException {
    var channel = SocketChannel.open();
    channels.add(channel);
    try (var _ = Deadline.closing(channel, SETUP)) {
      Clients.connect(channel, port, direction == Direction.UP ? Mode.SINK : Mode.SOURCE);
    }
    channel.configureBlocking(false);
    channel.register(selector, direction == Direction.UP ? OP_WRITE : OP_READ);
  }

  /// Bytes that came down so far; for uploads ask [Target#taken], because what is written here may
  /// still be anywhere.
  public long received() {
    return received.get();
  }

  /// Throws when a stream was cut since the start: its numbers mean nothing.
  public void check() throws IOException {
    IOException cause = failure;
    if (cause != null) {
      throw new IOException("a bulk stream was cut: " + cause.getMessage(), cause);
    }
  }

  private void run() {
    try {
      while (!closed) {
        selector.select(this::move);
      }
    } catch (UncheckedIOException e) {
      failure = e.getCause();
    } catch (IOException e) {
      failure = e;
    } finally {
      release();
    }
  }

  private void move(SelectionKey key) {
    var channel = (SocketChannel) key.channel();
    try {
      buffer.clear();
      int count = direction == Direction.UP ? channel.write(buffer) : channel.read(buffer);
      if (count < 0) {
        throw new EOFException("end of stream");
      }
      if (direction == Direction.DOWN) {
        received.addAndGet(count);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void release() {
    for (var channel : channels) {
      try {
        channel.close();
      } catch (IOException e) {
        System.err.println("close failed: " + e);
      }
    }
    try {
      selector.close();
    } catch (IOException e) {
      System.err.println("close failed: " + e);
    }
  }

  /// Closes all streams and waits for the thread.
  @Override
  public void close() {
    closed = true;
    selector.wakeup();
    try {
      thread.join();
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }
}
