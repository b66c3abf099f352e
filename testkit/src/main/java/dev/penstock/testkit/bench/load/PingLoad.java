package dev.penstock.testkit.bench.load;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;

/// One client that sends 64 bytes, waits for their echo, and sends again.
public final class PingLoad {
  private static final int SIZE = 64;
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private PingLoad() {}

  /// Pings for `warm` without counting, then for `window`; on the caller's thread.
  public static Latencies run(int port, Duration warm, Duration window) throws IOException {
    try (var channel = SocketChannel.open();
        var _ = Deadline.closing(channel, warm.plus(window).plus(PATIENCE))) {
      Clients.echoing(channel, port);
      var buffer = ByteBuffer.allocateDirect(SIZE);
      repeat(channel, buffer, warm, new Latencies());
      var latencies = new Latencies();
      repeat(channel, buffer, window, latencies);
      return latencies;
    }
  }

  private static void repeat(
      SocketChannel channel, ByteBuffer buffer, Duration time, Latencies latencies)
      throws IOException {
    long end = System.nanoTime() + time.toNanos();
    for (long start = System.nanoTime(); start < end; ) {
      buffer.clear();
      channel.write(buffer);
      buffer.clear();
      Clients.readFully(channel, buffer);
      long now = System.nanoTime();
      latencies.add(now - start);
      start = now;
    }
  }
}
