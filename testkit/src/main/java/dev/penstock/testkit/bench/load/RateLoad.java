package dev.penstock.testkit.bench.load;

import static java.nio.channels.SelectionKey.OP_READ;

import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;

/// Many clients, each with one 64-byte request under way at any time, all in the caller's thread: a
/// closed loop as `redis-benchmark` without pipelining.
public final class RateLoad {
  private static final int SIZE = 64;
  private static final long POLL_MILLIS = 50;
  private static final Duration SETUP = Duration.ofSeconds(20);

  private final Selector selector;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(SIZE);
  private long answers;

  private RateLoad(Selector selector) {
    this.selector = selector;
  }

  /// Requests for `warm` without counting, then for `window`.
  ///
  /// @return answers per second
  public static double run(int port, int clients, Duration warm, Duration window)
      throws IOException {
    var channels = new ArrayList<SocketChannel>();
    try (var selector = Selector.open()) {
      for (int i = 0; i < clients; i++) {
        var channel = SocketChannel.open();
        channels.add(channel);
        try (var _ = Deadline.closing(channel, SETUP)) {
          Clients.echoing(channel, port);
        }
        channel.configureBlocking(false);
        channel.register(selector, OP_READ).attach(new Progress());
      }
      var load = new RateLoad(selector);
      for (var channel : channels) {
        load.send(channel);
      }
      load.drive(warm);
      return load.drive(window);
    } catch (UncheckedIOException e) {
      throw e.getCause();
    } finally {
      IdleConnections.closeAll(channels);
    }
  }

  private static final class Progress {
    int answered;
  }

  private double drive(Duration time) throws IOException {
    answers = 0;
    long start = System.nanoTime();
    long now = start;
    while (now - start < time.toNanos()) {
      selector.select(this::answer, POLL_MILLIS);
      now = System.nanoTime();
    }
    return answers * 1e9 / (now - start);
  }

  private void answer(SelectionKey key) {
    var channel = (SocketChannel) key.channel();
    var progress = (Progress) key.attachment();
    try {
      buffer.clear().limit(SIZE - progress.answered);
      int count = channel.read(buffer);
      if (count < 0) {
        throw new EOFException("a client was cut");
      }
      progress.answered += count;
      if (progress.answered == SIZE) {
        progress.answered = 0;
        answers++;
        send(channel);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void send(SocketChannel channel) throws IOException {
    channel.write(buffer.clear());
  }
}
