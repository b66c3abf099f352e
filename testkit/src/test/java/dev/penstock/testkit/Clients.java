package dev.penstock.testkit;

import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.util.ArrayList;
import java.util.List;

/// Many clients of one service, each with a stream that is open from end to end.
final class Clients implements AutoCloseable {
  private final List<Socket> sockets = new ArrayList<>();

  /// Connects `count` clients to a service that echoes.
  static Clients connect(Lab lab, String service, int count) throws IOException {
    var clients = new Clients();
    try {
      for (int i = 0; i < count; i++) {
        Socket socket = lab.connect(service);
        clients.sockets.add(socket);
        lab.roundTrip(socket);
      }
      return clients;
    } catch (IOException e) {
      clients.close();
      throw new IOException("client " + clients.sockets.size() + "\n" + lab.report(), e);
    }
  }

  /// One round trip of every client.
  void roundTrips(Lab lab) throws IOException {
    for (Socket socket : sockets) {
      lab.roundTrip(socket);
    }
  }

  @Override
  public void close() {
    for (Socket socket : sockets) {
      try {
        socket.close();
      } catch (IOException e) {
        // It is gone already.
      }
    }
  }

  /// Fails unless somebody listens there; that nothing serves the connection is no matter.
  static void assertListens(InetSocketAddress address) throws IOException {
    try (var client = new Socket()) {
      client.connect(address, 5_000);
    } catch (ConnectException e) {
      throw new AssertionError(address + ": " + e.getMessage(), e);
    } catch (SocketException reset) {
      // Nothing serves it, but somebody listens.
    }
  }
}
