package dev.penstock.testkit.original;

import static org.awaitility.Awaitility.await;

import dev.penstock.gateway.Gateway;
import dev.penstock.gateway.GatewaySettings;
import dev.penstock.management.Scrape;
import dev.penstock.testkit.EchoService;
import dev.penstock.testkit.Ports;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

/// A gateway in this process, original agents that use it, services behind them and clients in
/// front.
final class OriginalLab implements AutoCloseable {
  static final String TOKEN = "s3cret";

  private static final Duration PATIENCE = Duration.ofSeconds(20);
  private static final int CLIENT_PATIENCE_MILLIS = 20_000;

  private final Path directory;
  private final int listenPort = Ports.free();
  private final int managementPort = Ports.free();
  private final List<Closeable> owned = new ArrayList<>();
  private String links = "";
  private Gateway gateway;

  private OriginalLab(Path directory) {
    this.directory = directory;
  }

  static OriginalLab in(Path directory) {
    return new OriginalLab(directory);
  }

  /// What stands below `gateway.links`.
  OriginalLab links(String yaml) {
    links = yaml;
    return this;
  }

  /// Starts the gateway; again after [#stopGateway], with the same files and ports.
  OriginalLab start() throws IOException {
    Path file =
        Files.writeString(
            directory.resolve("gateway.yaml"),
            """
            gateway:
              listen: 127.0.0.1:%d
              data_dir: data
              event_loops: 2
              public: {ports: 10000-65535}
              links: {%s}
              auth:
                tokens:
                  - {token: %s, cluster: lab}
            management:
              listen: 127.0.0.1:%d
            """
                .formatted(listenPort, links, TOKEN, managementPort));
    gateway = Gateway.start(GatewaySettings.load(file));
    return this;
  }

  void stopGateway() throws IOException {
    gateway.close();
  }

  /// Settings of an agent of this gateway.
  OriginalSettings agent() {
    return OriginalSettings.of(api(), TOKEN);
  }

  /// Starts an agent that ends with the lab.
  OriginalAgent start(OriginalSettings settings) {
    var agent = OriginalAgent.start(settings);
    owned.add(agent::close);
    return agent;
  }

  /// Starts an agent and waits until it can be given streams.
  OriginalAgent link(OriginalSettings settings) {
    double before = metric("penstock_gateway_links");
    OriginalAgent agent = start(settings);
    until(() -> metric("penstock_gateway_links") == before + 1);
    return agent;
  }

  /// Starts a service that ends with the lab.
  InetSocketAddress service(EchoService.Behaviour behaviour) {
    var service = EchoService.start(behaviour);
    owned.add(service::close);
    String address = service.address();
    return new InetSocketAddress(
        InetAddress.getLoopbackAddress(),
        Integer.parseInt(address.substring(address.indexOf(':') + 1)));
  }

  OriginalRest rest(String cluster) {
    var rest = new OriginalRest(api(), TOKEN, cluster);
    owned.add(rest::close);
    return rest;
  }

  /// Registers `service.default` as the original does; its public port.
  int expose(String service) throws Exception {
    int listener = Ports.free() - 10_000;
    return rest("lab")
        .register(OriginalTunnel.of("tcp", listener, service, "default", 5432))
        .tunnelPort();
  }

  /// A client whose reads fail when nothing comes for long.
  Socket client(int port) throws IOException {
    var socket = new Socket();
    owned.add(socket);
    socket.setSoTimeout(CLIENT_PATIENCE_MILLIS);
    socket.setTcpNoDelay(true);
    socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    return socket;
  }

  /// Whether the echo service at a public port answers one byte.
  boolean echoes(int port) {
    try (Socket client = client(port)) {
      client.setSoTimeout(1_000);
      client.getOutputStream().write('?');
      return client.getInputStream().read() == '?';
    } catch (IOException e) {
      return false;
    }
  }

  /// A series' value, 0 when there is none.
  double metric(String series) {
    return Scrape.metric(managementPort, series);
  }

  static void until(Callable<Boolean> condition) {
    await().atMost(PATIENCE).pollInterval(Duration.ofMillis(10)).until(condition);
  }

  private URI api() {
    return URI.create("http://127.0.0.1:" + listenPort);
  }

  @Override
  public void close() throws IOException {
    for (Closeable closeable : owned.reversed()) {
      closeable.close();
    }
    gateway.close();
  }
}
