package dev.penstock.testkit;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.Socket;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/// Clients that send as fast as they get rid of it, a thread each, and never read.
final class Pushers {
  private static final int BLOCK = 16 * 1_024;

  private final AtomicLong pushed = new AtomicLong();

  /// Sends until the connection is closed.
  void push(Socket client) {
    byte[] block = new byte[BLOCK];
    try {
      var out = client.getOutputStream();
      while (!client.isClosed()) {
        out.write(block);
        pushed.addAndGet(BLOCK);
      }
    } catch (IOException closed) {
      // The test is over.
    }
  }

  /// Waits until no client gets rid of another byte.
  void awaitStanding() {
    var last = new AtomicLong(-1);
    await()
        .atMost(Duration.ofMinutes(1))
        .pollInterval(Duration.ofMillis(500))
        .until(() -> last.getAndSet(pushed.get()) == pushed.get());
  }
}
