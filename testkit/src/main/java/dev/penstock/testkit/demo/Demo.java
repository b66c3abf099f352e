package dev.penstock.testkit.demo;

import com.sun.net.httpserver.HttpServer;
import dev.penstock.agent.Agent;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.agent.settings.Expose;
import dev.penstock.config.HostPort;
import dev.penstock.config.Outside;
import dev.penstock.gateway.Gateway;
import dev.penstock.gateway.GatewaySettings;
import dev.penstock.testkit.EchoService;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/// A gateway, an agent, a web page and an echo service, all on loopback addresses. What it writes
/// is in a temporary directory that goes with it.
final class Demo implements AutoCloseable {
  private static final int START_SECONDS = 30;
  private static final int WEB_PORT = 8000;

  private final Path directory;
  private final String token;
  private final Gateway gateway;
  private final Agent agent;
  private final HttpServer web;
  private final EchoService echo;
  private final Map<String, Integer> publicPorts;

  private Demo(
      Path directory,
      String token,
      Gateway gateway,
      Agent agent,
      HttpServer web,
      EchoService echo,
      Map<String, Integer> publicPorts) {
    this.directory = directory;
    this.token = token;
    this.gateway = gateway;
    this.agent = agent;
    this.web = web;
    this.echo = echo;
    this.publicPorts = publicPorts;
  }

  /// Starts everything and returns when all tunnels are reachable.
  ///
  /// @param say gets a line for every tunnel
  static Demo start(List<Expose> exposes, Consumer<String> say) throws IOException {
    Path directory = Files.createTempDirectory("penstock-demo");
    String token = UUID.randomUUID().toString();
    Path config = directory.resolve("gateway.yaml");
    Files.writeString(
        config,
        """
        gateway:
          listen: 127.0.0.1:0
          data_dir: data
          auth:
            tokens:
              - token: %s
                cluster: demo
        management:
          listen: 127.0.0.1:0
        """
            .formatted(token));
    var gateway = Gateway.start(GatewaySettings.load(config));
    HttpServer web = webPage();
    EchoService echo = EchoService.start(EchoService.Behaviour.echo());
    var all = new ArrayList<Expose>();
    all.add(expose("web", web.getAddress().getPort()));
    all.add(new Expose("echo", HostPort.parse(echo.address()).orElseThrow(), OptionalInt.empty()));
    all.addAll(exposes);
    var ports = new ConcurrentHashMap<String, Integer>();
    var reachable = new CountDownLatch(all.size());
    Consumer<String> line =
        text -> {
          say.accept(text);
          String[] words = text.split(" +", 4);
          ports.put(words[0], Integer.valueOf(words[2].substring(words[2].lastIndexOf(':') + 1)));
          reachable.countDown();
        };
    var agent =
        Agent.start(
            AgentSettings.of(
                Map.of(),
                List.of(
                    new Outside(
                        "pipeops.api_url",
                        "demo",
                        "http://127.0.0.1:" + gateway.address().getPort()),
                    new Outside("pipeops.token", "demo", token),
                    new Outside("management.listen", "demo", "127.0.0.1:0")),
                all),
            new Agent.Announcements(
                line, why -> say.accept("the gateway refused the agent: " + why)));
    var demo = new Demo(directory, token, gateway, agent, web, echo, ports);
    try {
      if (!reachable.await(START_SECONDS, TimeUnit.SECONDS)) {
        demo.close();
        throw new IOException(
            "not all tunnels became reachable within " + START_SECONDS + " s; the log says why");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return demo;
  }

  private static Expose expose(String name, int port) {
    return new Expose(name, new HostPort("127.0.0.1", port), OptionalInt.empty());
  }

  private static HttpServer webPage() throws IOException {
    HttpServer server;
    try {
      server =
          HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), WEB_PORT), 0);
    } catch (IOException taken) {
      server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    }
    byte[] page = "Hello from behind the tunnel.\n".getBytes(StandardCharsets.UTF_8);
    server.createContext(
        "/",
        exchange -> {
          try (exchange) {
            exchange.getResponseHeaders().set("Content-Type", "text/plain; charset=utf-8");
            exchange.sendResponseHeaders(200, page.length);
            exchange.getResponseBody().write(page);
          }
        });
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.start();
    return server;
  }

  /// The public port of a tunnel.
  int publicPort(String name) {
    return publicPorts.getOrDefault(name, 0);
  }

  /// Where the gateway takes the calls of agents of cluster `demo`.
  String agentsUrl() {
    return "http://127.0.0.1:" + gateway.address().getPort() + "/api/v1/clusters/agent/demo";
  }

  /// What agents show there.
  String token() {
    return token;
  }

  /// Where the gateway serves its metrics.
  String gatewayMetrics() {
    return "127.0.0.1:" + gateway.managementAddress().getPort();
  }

  /// Where the agent serves its metrics.
  String agentMetrics() {
    return "127.0.0.1:" + agent.managementAddress().getPort();
  }

  @Override
  public void close() throws IOException {
    agent.close();
    gateway.close();
    web.stop(0);
    echo.close();
    try (var files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }
}
