package dev.penstock.testkit.bench.load;

import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/// Ends blocking I/O that takes too long by closing what it waits on: a blocking channel knows no
/// time-out, and a socket's time-out costs two system calls per read.
final class Deadline implements AutoCloseable {
  private static final ScheduledExecutorService CLOCK =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("deadlines").factory());

  private final Future<?> end;

  private Deadline(Future<?> end) {
    this.end = end;
  }

  /// Closes the resource after the time, unless this deadline is closed before.
  static Deadline closing(Closeable resource, Duration after) {
    return new Deadline(
        CLOCK.schedule(() -> close(resource), after.toNanos(), TimeUnit.NANOSECONDS));
  }

  private static void close(Closeable resource) {
    try {
      resource.close();
    } catch (IOException e) {
      System.err.println("close failed: " + e);
    }
  }

  @Override
  public void close() {
    end.cancel(false);
  }
}
