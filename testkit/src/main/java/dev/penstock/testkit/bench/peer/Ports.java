package dev.penstock.testkit.bench.peer;

import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;

/// Free loopback ports for processes that have to be told theirs. Drawn below the ephemeral range
/// of Linux: a port that the system would choose may be taken by one of thousands of outgoing
/// connections before the process binds it.
final class Ports {
  private static final int LOWEST = 20_000;
  private static final int HIGHEST = 32_000;
  private static final int ATTEMPTS = 100;
  private static final Set<Integer> GIVEN = ConcurrentHashMap.newKeySet();

  private Ports() {}

  /// A port that nobody listens on now, and that was not given out before.
  static int free() throws IOException {
    for (int i = 0; i < ATTEMPTS; i++) {
      int port = ThreadLocalRandom.current().nextInt(LOWEST, HIGHEST);
      if (!GIVEN.add(port)) {
        continue;
      }
      try (var _ = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
        return port;
      } catch (BindException _) {
        // Taken by somebody else: draw again.
      }
    }
    throw new IOException("free ports: 0 (expected: some in " + LOWEST + ".." + HIGHEST + ")");
  }
}
