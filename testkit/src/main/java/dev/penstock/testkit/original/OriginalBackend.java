package dev.penstock.testkit.original;

import java.io.IOException;
import java.io.OutputStream;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// The services behind an original agent, and how it carries yamux streams to them.
///
/// TCP is half-closed both ways. A failed dial is told by FIN and nothing else. UDP has no framing:
/// one read of what is buffered is one datagram, and nothing ends the socket.
final class OriginalBackend {
  private static final int BUFFER = 32 * 1024;
  private static final int DIAL_TIMEOUT_MILLIS = 30_000;

  private final Map<String, InetSocketAddress> services;
  private final Set<AutoCloseable> open = ConcurrentHashMap.newKeySet();

  /// @param services addresses by `service.namespace`; others are unknown names
  OriginalBackend(Map<String, InetSocketAddress> services) {
    this.services = Map.copyOf(services);
  }

  /// Carries one stream to its end; blocks its thread.
  void serve(OriginalStream stream) {
    try {
      OriginalStream.Header header = stream.readHeader();
      InetSocketAddress target = services.get(header.service() + "." + header.namespace());
      if (target == null) {
        stream.close();
      } else if (header.protocol() == OriginalStream.Header.UDP) {
        udp(stream, target);
      } else {
        tcp(stream, target);
      }
    } catch (IOException e) {
      closeQuietly(stream);
    }
  }

  /// Closes the sockets of all streams, as the end of the process does.
  void close() {
    for (AutoCloseable socket : open) {
      try {
        socket.close();
      } catch (Exception e) {
        // It is gone already.
      }
    }
  }

  private void tcp(OriginalStream stream, InetSocketAddress target) throws IOException {
    try (var socket = new Socket()) {
      socket.connect(target, DIAL_TIMEOUT_MILLIS);
      socket.setTcpNoDelay(true);
      open.add(socket);
      Thread back = Thread.ofVirtual().start(() -> tcpToGateway(socket, stream));
      toService(stream, socket);
      join(back);
      open.remove(socket);
      stream.close();
    }
  }

  private static void toService(OriginalStream stream, Socket socket) {
    try {
      OutputStream out = socket.getOutputStream();
      for (byte[] bytes = stream.read(BUFFER); bytes != null; bytes = stream.read(BUFFER)) {
        out.write(bytes);
      }
      socket.shutdownOutput();
    } catch (IOException e) {
      // A service that is gone is not read for any more; a stream that was reset ends the service.
      resetQuietly(socket);
    }
  }

  private static void tcpToGateway(Socket socket, OriginalStream stream) {
    byte[] buffer = new byte[BUFFER];
    try {
      var in = socket.getInputStream();
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        stream.write(buffer, n);
      }
    } catch (IOException e) {
      // Whatever it was, all that follows is FIN.
    }
    closeQuietly(stream);
  }

  private void udp(OriginalStream stream, InetSocketAddress target) throws IOException {
    var socket = new DatagramSocket();
    open.add(socket);
    socket.connect(target);
    Thread.ofVirtual().start(() -> udpToGateway(socket, stream));
    for (byte[] bytes = stream.read(BUFFER); bytes != null; bytes = stream.read(BUFFER)) {
      socket.send(new DatagramPacket(bytes, bytes.length));
    }
  }

  private static void udpToGateway(DatagramSocket socket, OriginalStream stream) {
    byte[] buffer = new byte[BUFFER];
    try {
      while (true) {
        var datagram = new DatagramPacket(buffer, buffer.length);
        socket.receive(datagram);
        stream.write(Arrays.copyOf(buffer, datagram.getLength()), datagram.getLength());
      }
    } catch (IOException e) {
      closeQuietly(stream);
    }
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void resetQuietly(Socket socket) {
    try {
      socket.setSoLinger(true, 0);
      socket.close();
    } catch (IOException e) {
      // It is gone already.
    }
  }

  private static void closeQuietly(OriginalStream stream) {
    try {
      stream.close();
    } catch (IOException e) {
      // The session is gone already.
    }
  }
}
