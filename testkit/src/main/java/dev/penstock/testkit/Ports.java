package dev.penstock.testkit;

import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;

/// Loopback ports that nobody listens on, for TCP and for UDP. Each is given out once per process.
/// They lie below the range from which Linux takes the ports of outgoing connections, so a port
/// stays free between being named here and being bound by the process it is for. Two JVMs that run
/// tests side by side (the system property `test.fork` is 1 or 2) have ports of their own, and the
/// programs that they start (it is not set) have others. Any thread may call.
public final class Ports {
  private static final int FIRST = 20_000;
  private static final int LAST = 32_000;
  private static final int ATTEMPTS = 1_000;
  private static final int SIDES = 3;
  private static final int SIDE = Integer.getInteger("test.fork", 0) % SIDES;
  private static final Set<Integer> GIVEN = ConcurrentHashMap.newKeySet();

  private Ports() {}

  /// A free port.
  ///
  /// @throws IllegalStateException no free port was found
  public static int free() {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      int port = ThreadLocalRandom.current().nextInt(FIRST / SIDES, LAST / SIDES) * SIDES + SIDE;
      if (isFree(port) && GIVEN.add(port)) {
        return port;
      }
    }
    throw new IllegalStateException(
        "free ports: none found (expected: one in " + FIRST + ".." + LAST + ")");
  }

  /// A loopback address for a node of a cluster, whose public ports a test may have to choose
  /// itself: those of another JVM's nodes are at other addresses.
  ///
  /// @param node from 0
  public static InetAddress address(int node) {
    return InetAddress.ofLiteral("127.0." + SIDE + "." + (node + 2));
  }

  private static boolean isFree(int port) {
    var address = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
    try (var socket = new ServerSocket();
        var datagrams = new DatagramSocket(address)) {
      socket.bind(address);
      return datagrams.isBound();
    } catch (IOException taken) {
      return false;
    }
  }
}
