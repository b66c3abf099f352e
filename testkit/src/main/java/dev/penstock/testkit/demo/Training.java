package dev.penstock.testkit.demo;

import dev.penstock.agent.AgentCommand;
import dev.penstock.cli.Cli;
import dev.penstock.gateway.GatewayCommand;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.TunnelRegistration;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// A little of all traffic, for the run that makes the start-up cache: classes get loaded and the
/// byte path warm.
final class Training {
  private static final int PINGS = 20_000;
  private static final int CONNECTIONS = 300;
  private static final int TUNNELS = 2_000;
  private static final int FIRST_LISTENER_PORT = 10_000;
  private static final int BULK_BYTES = 512 * 1024 * 1024;

  private Training() {}

  static void run(Demo demo) throws Exception {
    commandLines();
    int port = demo.publicPort("echo");
    pings(port);
    for (int i = 0; i < CONNECTIONS; i++) {
      try (var socket = connect(port)) {
        socket.getOutputStream().write(i);
        socket.getInputStream().read();
      }
    }
    bulk(port);
    sync(demo);
    for (String url :
        new String[] {
          "http://127.0.0.1:" + demo.publicPort("web") + "/",
          "http://" + demo.gatewayMetrics() + "/readyz",
          "http://" + demo.gatewayMetrics() + "/metrics",
          "http://" + demo.agentMetrics() + "/readyz"
        }) {
      try (InputStream in = URI.create(url).toURL().openStream()) {
        in.readAllBytes();
      }
    }
  }

  /// Reads the arguments as a real start does, and starts nothing.
  private static void commandLines() {
    Cli.execute(
        "agent",
        new String[] {
          "--gateway", "http://127.0.0.1:1", "--token", "t", "--expose", "a=127.0.0.1:1"
        },
        new AgentCommand(Map.of(), _ -> 0));
    Cli.execute("gateway", new String[] {"--help"}, new GatewayCommand(Map.of(), _ -> 0));
  }

  private static void sync(Demo demo) throws IOException {
    String tunnels =
        IntStream.range(FIRST_LISTENER_PORT, FIRST_LISTENER_PORT + TUNNELS)
            .mapToObj(port ->
                TunnelRegistration.of(Protocol.TCP, "training-" + port, "", 0)
                    .gateway("", "training", port)
                    .build()
                    .encode())
            .collect(Collectors.joining(",", "{\"tunnels\":[", "]}"));
    var call =
        (HttpURLConnection) URI.create(demo.agentsUrl() + "/tunnels/sync").toURL().openConnection();
    call.setRequestProperty("Authorization", "Bearer " + demo.token());
    call.setDoOutput(true);
    try (OutputStream out = call.getOutputStream()) {
      out.write(tunnels.getBytes(StandardCharsets.UTF_8));
    }
    try (InputStream in = call.getInputStream()) {
      in.readAllBytes();
    }
  }

  private static Socket connect(int port) throws IOException {
    var socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setTcpNoDelay(true);
    return socket;
  }

  private static void pings(int port) throws IOException {
    try (var socket = connect(port)) {
      byte[] ping = new byte[64];
      for (int i = 0; i < PINGS; i++) {
        socket.getOutputStream().write(ping);
        socket.getInputStream().readNBytes(ping, 0, ping.length);
      }
    }
  }

  private static void bulk(int port) throws IOException, InterruptedException {
    var threads = new ArrayList<Thread>();
    for (int i = 0; i < 2; i++) {
      var socket = connect(port);
      threads.add(
          Thread.ofVirtual()
              .start(() -> {
                byte[] block = new byte[64 * 1024];
                try {
                  for (int sent = 0; sent < BULK_BYTES / 2; sent += block.length) {
                    socket.getOutputStream().write(block);
                  }
                  socket.shutdownOutput();
                } catch (IOException e) {
                  // The reader notices.
                }
              }));
      threads.add(
          Thread.ofVirtual()
              .start(() -> {
                byte[] block = new byte[64 * 1024];
                try (socket) {
                  while (socket.getInputStream().read(block) >= 0) {
                    // Only the way here counts.
                  }
                } catch (IOException e) {
                  // A shorter training is a training.
                }
              }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
  }
}
