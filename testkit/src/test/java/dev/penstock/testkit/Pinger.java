package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.Socket;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/// A client that sends small messages to a service that echoes, and times the answers.
final class Pinger implements AutoCloseable {
  private static final int MESSAGE = 64;
  private static final int TIMEOUT_MILLIS = 5_000;

  private final Socket socket;
  private final DataInputStream in;
  private final byte[] message = new byte[MESSAGE];
  private final ScheduledExecutorService background = Executors.newSingleThreadScheduledExecutor();
  private final AtomicInteger answers = new AtomicInteger();
  private final AtomicReference<IOException> failure = new AtomicReference<>();

  private Pinger(Socket socket) throws IOException {
    this.socket = socket;
    this.in = new DataInputStream(socket.getInputStream());
    socket.setSoTimeout(TIMEOUT_MILLIS);
  }

  static Pinger of(Lab lab, String service) throws IOException {
    return new Pinger(lab.connect(service));
  }

  /// Over a connection to a service that echoes, which it closes.
  static Pinger over(Socket socket) throws IOException {
    return new Pinger(socket);
  }

  /// The time that 99 of 100 answers needed at most, of `count` in a row.
  Duration p99(int count) throws IOException {
    long[] nanos = new long[count];
    for (int i = 0; i < count; i++) {
      nanos[i] = ping();
    }
    Arrays.sort(nanos);
    return Duration.ofNanos(nanos[(int) (count * 0.99)]);
  }

  /// Pings every ten milliseconds from now on, until it is closed.
  Pinger start() {
    var _ =
        background.scheduleWithFixedDelay(
            () -> {
              try {
                ping();
                answers.incrementAndGet();
              } catch (IOException e) {
                failure.compareAndSet(null, e);
                throw new IllegalStateException(e);
              }
            },
            0,
            10,
            TimeUnit.MILLISECONDS);
    return this;
  }

  /// How many pings were answered since [#start].
  int answers() {
    return answers.get();
  }

  /// Fails when a ping since [#start] was not answered.
  void assertHealthy() {
    assertThat(failure.get()).as("ping %d", answers.get()).isNull();
  }

  @Override
  public void close() throws IOException {
    background.shutdownNow();
    socket.close();
  }

  private long ping() throws IOException {
    long start = System.nanoTime();
    socket.getOutputStream().write(message);
    in.readFully(new byte[MESSAGE]);
    return System.nanoTime() - start;
  }
}
