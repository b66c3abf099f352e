package dev.penstock.testkit.original;

import dev.penstock.testkit.original.OriginalJson.Envelope;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Arrays;
import java.util.Base64;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/// Tunnels in JSON messages as the original agent carries them, bugs included. The target is always
/// `localhost` at the listener's port.
///
/// Every message is handled by a thread of its own, so that the order of data is lost; data that
/// comes before the dial is done is lost; every close is answered with `service_closed`; what a UDP
/// service answers goes to every client that was ever seen on its tunnel; a tunnel above the limit
/// is dropped without a word.
final class OriginalTunnels {
  private static final int TCP_BUFFER = 32 * 1024;
  private static final int UDP_BUFFER = 65_507;
  private static final int MAX_UDP_TUNNELS = 1_000;
  private static final int DIAL_TIMEOUT_MILLIS = 30_000;

  /// Sends one message on the socket that the tunnels belong to.
  interface Output {
    void send(String type, String requestId, Map<String, ?> payload) throws IOException;
  }

  private record UdpTunnel(DatagramSocket socket, Set<InetSocketAddress> clients) {}

  private final Output output;
  private final Map<String, Socket> connections = new ConcurrentHashMap<>();
  private final Map<String, UdpTunnel> udp = new ConcurrentHashMap<>();
  private final AtomicInteger lostEarly = new AtomicInteger();

  OriginalTunnels(Output output) {
    this.output = output;
  }

  /// Messages with data for a connection that was not there, or not yet.
  int lostEarly() {
    return lostEarly.get();
  }

  /// TCP connections that are open.
  int open() {
    return connections.size();
  }

  /// Handles one message, some time soon.
  void on(Envelope message) {
    Thread.ofVirtual()
        .start(() -> {
          try {
            switch (message.type()) {
              case "tcp_tunnel_start" -> start(message);
              case "tcp_tunnel_data" -> data(message);
              case "tcp_tunnel_close" -> close(message.requestId());
              default -> datagram(message);
            }
          } catch (IOException | IllegalArgumentException e) {
            // The original writes a line into its log.
          }
        });
  }

  /// Closes all targets, as the end of the process does.
  void close() {
    connections.values().forEach(OriginalTunnels::closeQuietly);
    udp.values().forEach(tunnel -> tunnel.socket().close());
  }

  private static InetSocketAddress target(Envelope message) {
    return new InetSocketAddress(
        InetAddress.getLoopbackAddress(), message.number("gateway_port", 0));
  }

  private void start(Envelope message) throws IOException {
    String id = message.requestId();
    var socket = new Socket();
    try {
      socket.connect(target(message), DIAL_TIMEOUT_MILLIS);
      socket.setTcpNoDelay(true);
    } catch (IOException e) {
      output.send(
          "tcp_tunnel_close",
          id,
          Map.of("reason", "connection_failed", "error", String.valueOf(e.getMessage())));
      return;
    }
    if (connections.putIfAbsent(id, socket) != null) {
      socket.close();
      output.send("tcp_tunnel_close", id, Map.of("reason", "registration_failed"));
      return;
    }
    byte[] buffer = new byte[TCP_BUFFER];
    try {
      var in = socket.getInputStream();
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        String data = Base64.getEncoder().encodeToString(Arrays.copyOf(buffer, n));
        output.send("tcp_tunnel_data", id, Map.of("data", data, "direction", "agent_to_gateway"));
      }
    } catch (IOException e) {
      // Closed here or there: the same message follows.
    }
    closeQuietly(socket);
    connections.remove(id);
    output.send("tcp_tunnel_close", id, Map.of("reason", "service_closed"));
  }

  private void data(Envelope message) throws IOException {
    byte[] bytes = Base64.getDecoder().decode(message.text("data"));
    Socket socket = connections.get(message.requestId());
    if (socket == null) {
      lostEarly.incrementAndGet();
      return;
    }
    try {
      synchronized (socket) {
        socket.getOutputStream().write(bytes);
      }
    } catch (IOException e) {
      closeQuietly(socket);
      output.send("tcp_tunnel_close", message.requestId(), Map.of("reason", "write_error"));
    }
  }

  private void close(String id) {
    Socket socket = connections.get(id);
    if (socket != null) {
      closeQuietly(socket);
    }
  }

  private void datagram(Envelope message) throws IOException {
    byte[] bytes = Base64.getDecoder().decode(message.text("data"));
    String id = message.text("tunnel_id");
    UdpTunnel tunnel;
    synchronized (udp) {
      tunnel = udp.get(id);
      if (tunnel == null) {
        if (udp.size() >= MAX_UDP_TUNNELS) {
          return;
        }
        tunnel = new UdpTunnel(new DatagramSocket(), ConcurrentHashMap.newKeySet());
        tunnel.socket().connect(target(message));
        udp.put(id, tunnel);
        UdpTunnel started = tunnel;
        Thread.ofVirtual().start(() -> answers(id, started));
      }
    }
    tunnel
        .clients()
        .add(
            InetSocketAddress.createUnresolved(
                message.text("client_addr"), message.number("client_port", 0)));
    tunnel.socket().send(new DatagramPacket(bytes, bytes.length));
  }

  private void answers(String id, UdpTunnel tunnel) {
    byte[] buffer = new byte[UDP_BUFFER];
    try {
      while (true) {
        var datagram = new DatagramPacket(buffer, buffer.length);
        tunnel.socket().receive(datagram);
        String data =
            Base64.getEncoder().encodeToString(Arrays.copyOf(buffer, datagram.getLength()));
        for (InetSocketAddress client : tunnel.clients()) {
          output.send(
              "udp_tunnel_data",
              "",
              Map.of(
                  "tunnel_id",
                  id,
                  "data",
                  data,
                  "direction",
                  "agent_to_gateway",
                  "client_addr",
                  client.getHostString(),
                  "client_port",
                  client.getPort()));
        }
      }
    } catch (IOException e) {
      tunnel.socket().close();
    }
  }

  private static void closeQuietly(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      // It is gone already.
    }
  }
}
