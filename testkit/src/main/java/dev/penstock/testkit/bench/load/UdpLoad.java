package dev.penstock.testkit.bench.load;

import java.io.IOException;
import java.net.PortUnreachableException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/// One sender of datagrams of 512 bytes at a steady rate, in the caller's thread; what arrives is
/// counted at the target.
public final class UdpLoad {
  private static final int SIZE = 512;
  private static final int BUFFER = 4 * 1024 * 1024;

  /// How often what is due is sent; so many at once arrive as a burst.
  private static final long STEP_NANOS = 500_000;

  /// How long nothing may arrive before the rest counts as lost.
  private static final Duration QUIET = Duration.ofMillis(300);

  private UdpLoad() {}

  /// What one run found.
  ///
  /// @param sent datagrams that the system took from the sender
  /// @param arrived those of them that came to the target
  /// @param seconds how long the sender took
  public record Result(long sent, long arrived, double seconds) {
    /// Datagrams per second that arrived.
    public double rate() {
      return arrived / seconds;
    }

    /// The share that did not arrive, in percent.
    public double lostPercent() {
      return 100.0 * (sent - arrived) / Math.max(1, sent);
    }

    /// Datagrams per second that were sent.
    public double offered() {
      return sent / seconds;
    }
  }

  /// Sends `perSecond` datagrams a second for `window` through `port`.
  public static Result run(Target target, int port, int perSecond, Duration window)
      throws IOException {
    long before = target.datagrams();
    long sent = 0;
    double seconds;
    try (var channel = DatagramChannel.open()) {
      channel.setOption(StandardSocketOptions.SO_SNDBUF, BUFFER);
      channel.connect(Clients.loopback(port));
      var datagram = ByteBuffer.allocateDirect(SIZE);
      long start = System.nanoTime();
      long now = start;
      while (now - start < window.toNanos()) {
        long due = (long) ((now - start) * (perSecond / 1e9));
        for (; sent < due; sent++) {
          send(channel, datagram.clear());
        }
        LockSupport.parkNanos(STEP_NANOS);
        now = System.nanoTime();
      }
      seconds = (System.nanoTime() - start) / 1e9;
      return new Result(sent, awaitQuiet(target) - before, seconds);
    }
  }

  private static void send(DatagramChannel channel, ByteBuffer datagram) throws IOException {
    try {
      channel.write(datagram);
    } catch (PortUnreachableException _) {
      // The tunnel does not listen yet: the datagram counts as lost.
    }
  }

  private static long awaitQuiet(Target target) throws IOException {
    long last = target.datagrams();
    long since = System.nanoTime();
    while (System.nanoTime() - since < QUIET.toNanos()) {
      LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
      long now = target.datagrams();
      if (now != last) {
        last = now;
        since = System.nanoTime();
      }
    }
    return last;
  }
}
