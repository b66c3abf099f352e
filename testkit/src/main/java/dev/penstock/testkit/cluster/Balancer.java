package dev.penstock.testkit.cluster;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A TCP load balancer for trying things out: each port of 127.0.0.1 that it is told to front goes
/// to the same port of the nodes that are ready, in turn; a node that does not answer is passed
/// over. A virtual thread per direction carries the bytes, so it is no measure of speed.
/// Thread-safe.
final class Balancer implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Balancer.class);
  private static final int BUFFER = 64 * 1024;
  private static final int BACKLOG = 1_024;
  private static final int CONNECT_MILLIS = 2_000;

  private final Supplier<List<InetAddress>> ready;
  private final AtomicInteger turn = new AtomicInteger();
  private final Map<Integer, ServerSocket> fronts = new ConcurrentHashMap<>();
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();

  /// @param ready the nodes that take connections now
  Balancer(Supplier<List<InetAddress>> ready) {
    this.ready = ready;
  }

  /// Fronts a port from now on; one that another program has is passed over, with a line in the
  /// log.
  void front(int port) {
    fronts.computeIfAbsent(
        port,
        _ -> {
          try {
            var socket = new ServerSocket();
            socket.bind(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), port), BACKLOG);
            Thread.ofVirtual().name("front-" + port).start(() -> accept(socket, port));
            return socket;
          } catch (IOException e) {
            log.atWarn()
                .addKeyValue("port", port)
                .addKeyValue("cause", e.getMessage())
                .log("The load balancer cannot have this port");
            return null;
          }
        });
  }

  private void accept(ServerSocket front, int port) {
    while (!front.isClosed()) {
      try {
        Socket client = front.accept();
        open.add(client);
        Thread.ofVirtual().start(() -> carry(client, port));
      } catch (IOException closed) {
        return;
      }
    }
  }

  private void carry(Socket client, int port) {
    try (client;
        Socket node = connect(port)) {
      open.add(node);
      client.setTcpNoDelay(true);
      node.setTcpNoDelay(true);
      Thread answers = Thread.ofVirtual().start(() -> pump(node, client));
      pump(client, node);
      answers.join();
      open.remove(node);
    } catch (IOException e) {
      // Nobody is ready, or one end is gone: then the other goes.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      open.remove(client);
    }
  }

  private Socket connect(int port) throws IOException {
    List<InetAddress> nodes = ready.get();
    int first = turn.getAndIncrement();
    for (int i = 0; i < nodes.size(); i++) {
      InetAddress node = nodes.get(Math.floorMod(first + i, nodes.size()));
      var socket = new Socket();
      try {
        socket.connect(new InetSocketAddress(node, port), CONNECT_MILLIS);
        return socket;
      } catch (IOException refused) {
        socket.close();
      }
    }
    throw new IOException("no node takes connections");
  }

  /// Half-close included: an end of one direction is passed on and the other goes on.
  private static void pump(Socket from, Socket to) {
    try {
      InputStream in = from.getInputStream();
      byte[] buffer = new byte[BUFFER];
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        to.getOutputStream().write(buffer, 0, n);
      }
      to.shutdownOutput();
    } catch (IOException reset) {
      closeQuietly(from);
      closeQuietly(to);
    }
  }

  private static void closeQuietly(Socket socket) {
    try {
      socket.close();
    } catch (IOException ended) {
      // It is gone already.
    }
  }

  @Override
  public void close() throws IOException {
    for (ServerSocket front : fronts.values()) {
      front.close();
    }
    open.forEach(Balancer::closeQuietly);
  }
}
