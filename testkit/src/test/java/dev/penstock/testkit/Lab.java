package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.control.Carrier;
import dev.penstock.protocol.control.CarrierChoice;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A gateway and an agent on this machine, each in its own process, and the services that they
/// expose. Add services, then [#start].
final class Lab implements AutoCloseable {
  static final String TOKEN = "s3cret";

  /// A second cluster's token, for peers that must not harm the first.
  static final String OTHER_TOKEN = "other-s3cret";

  private static final int CONNECT_TIMEOUT_MILLIS = 5_000;

  private record Exposed(String protocol, String target, int publicPort, String settings) {}

  private final Path directory;
  private final int listenPort = Ports.free();
  private final int gatewayManagement = Ports.free();
  private final int agentManagement = Ports.free();
  private final Map<String, Exposed> services = new LinkedHashMap<>();
  private String publicSide = "max_connections: 100000";
  private final Map<String, String> agentVariables = new LinkedHashMap<>();
  private final Map<String, String> gatewayVariables = new LinkedHashMap<>();
  private final List<AutoCloseable> owned = new ArrayList<>();
  private CarrierChoice carriers = CarrierChoice.AUTO;
  private String gatewayUdp = "";
  private NodeProcess gateway;
  private NodeProcess agent;

  private Lab(Path directory) {
    this.directory = directory;
  }

  /// A lab that keeps its files in `directory`.
  static Lab in(Path directory) {
    return new Lab(directory);
  }

  /// Allows only this carrier of streams at the gateway; the agent can all.
  Lab over(Carrier only) {
    carriers = only == Carrier.YAMUX ? CarrierChoice.YAMUX : CarrierChoice.JSON;
    return this;
  }

  /// What the gateway may carry streams with.
  Lab carriers(CarrierChoice choice) {
    carriers = choice;
    return this;
  }

  /// Exposes a service that somebody else runs.
  Lab expose(String name, String target) {
    return expose(name, target, "");
  }

  /// As [#expose(String, String)], with more settings of the service, such as `proxy_protocol: v1`.
  Lab expose(String name, String target, String settings) {
    services.put(name, new Exposed("tcp", target, Ports.free(), settings));
    return this;
  }

  /// Exposes a UDP service that somebody else runs.
  Lab exposeUdp(String name, String target) {
    return exposeUdp(name, target, "");
  }

  /// As [#exposeUdp(String, String)], with more settings of the service.
  Lab exposeUdp(String name, String target, String settings) {
    services.put(name, new Exposed("udp", target, Ports.free(), settings));
    return this;
  }

  /// Settings below `gateway.udp`, such as `max_sessions: 3`.
  Lab gatewayUdp(String settings) {
    gatewayUdp = settings;
    return this;
  }

  /// Settings below `gateway.public`, in braces or one line, such as `max_connections: 3`.
  Lab publicSide(String settings) {
    publicSide = settings;
    return this;
  }

  /// An environment variable of the agent, such as `PENSTOCK_AGENT_LINKS_COUNT`.
  Lab agentVariable(String name, String value) {
    agentVariables.put(name, value);
    return this;
  }

  /// An environment variable of both ends, such as `PENSTOCK_LOG_LEVEL`.
  Lab variable(String name, String value) {
    gatewayVariables.put(name, value);
    return agentVariable(name, value);
  }

  /// Exposes a service that ends with the lab.
  Lab expose(String name, EchoService service) {
    owned.add(service);
    return expose(name, service.address());
  }

  /// Starts both; returns when every service can be reached.
  Lab start() {
    startGateway().awaitReady();
    startAgent().awaitReady();
    return this;
  }

  /// Starts the gateway, always with the same settings.
  NodeProcess startGateway() {
    Path config = write("gateway.yaml", gatewayYaml());
    gateway =
        NodeProcess.start(
            directory,
            gatewayManagement,
            gatewayVariables,
            List.of("gateway", "--config", config.toString()));
    return gateway;
  }

  /// Starts the agent, always with the same settings.
  NodeProcess startAgent() {
    boolean oneLine = services.values().stream().allMatch(it -> it.settings().isEmpty());
    agent =
        NodeProcess.start(
            directory,
            agentManagement,
            agentVariables,
            oneLine
                ? agentArguments()
                : List.of("agent", "--config", write("agent.yaml", agentYaml()).toString()));
    return agent;
  }

  private List<String> agentArguments() {
    var arguments =
        new ArrayList<>(
            List.of(
                "agent",
                "--gateway",
                "http://127.0.0.1:" + listenPort,
                "--token",
                TOKEN,
                "--management",
                "127.0.0.1:" + agentManagement));
    services.forEach((name, service) -> {
      arguments.add("--expose");
      String scheme = service.protocol().equals("udp") ? "udp://" : "";
      arguments.add(name + "=" + scheme + service.target() + "@" + service.publicPort());
    });
    return arguments;
  }

  NodeProcess gateway() {
    return gateway;
  }

  NodeProcess agent() {
    return agent;
  }

  /// Runs `./penstock drain` against the gateway.
  NodeProcess drainCommand() {
    return NodeProcess.start(
        directory,
        gatewayManagement,
        Map.of(),
        List.of("drain", "--management", "http://127.0.0.1:" + gatewayManagement));
  }

  /// Where the gateway takes REST calls and links.
  int listenPort() {
    return listenPort;
  }

  /// Where the gateway's management listens.
  int gatewayManagement() {
    return gatewayManagement;
  }

  /// The public port of a service.
  int port(String name) {
    return services.get(name).publicPort();
  }

  /// The line that the agent prints when a service can be reached.
  String announcement(String name) {
    Exposed service = services.get(name);
    return name
        + "  "
        + service.protocol()
        + "  127.0.0.1:"
        + service.publicPort()
        + " -> "
        + service.target();
  }

  /// A new client of a service.
  Socket connect(String name) throws IOException {
    var socket = new Socket();
    try {
      socket.connect(
          new InetSocketAddress(InetAddress.getLoopbackAddress(), port(name)),
          CONNECT_TIMEOUT_MILLIS);
      socket.setTcpNoDelay(true);
      return socket;
    } catch (IOException e) {
      socket.close();
      throw e;
    }
  }

  /// Whether a service that echoes answers a byte now.
  boolean echoes(String name) {
    try (Socket client = connect(name)) {
      client.setSoTimeout(1_000);
      client.getOutputStream().write('?');
      return client.getInputStream().read() == '?';
    } catch (IOException e) {
      return false;
    }
  }

  /// Sends one byte to a service that echoes and takes it back, so that the stream is known to be
  /// open from end to end.
  void roundTrip(Socket client) throws IOException {
    int answer;
    try {
      client.getOutputStream().write('?');
      answer = client.getInputStream().read();
    } catch (IOException e) {
      throw new IOException("no echo: " + e.getMessage() + "\n" + report(), e);
    }
    assertThat(answer).as("echo\n%s", report()).isEqualTo('?');
  }

  /// What both processes wrote, for the message of a failed test.
  String report() {
    return (gateway == null ? "" : gateway.report()) + (agent == null ? "" : agent.report());
  }

  String gatewayYaml() {
    return """
    gateway:
      listen: 127.0.0.1:%d
      data_dir: %s
      public:
        host: 127.0.0.1
        bind: 127.0.0.1
        ports: 10000-35000
        %s
      links:
        protocol: %s
      udp: {%s}
      auth:
        tokens:
          - token: %s
            cluster: lab
          - token: %s
            cluster: other
    management:
      listen: 127.0.0.1:%d
    """
        .formatted(
            listenPort,
            directory.resolve("data"),
            publicSide,
            carriers.label(),
            gatewayUdp,
            TOKEN,
            OTHER_TOKEN,
            gatewayManagement);
  }

  private String agentYaml() {
    var list = new StringBuilder();
    services.forEach((name, service) ->
        list.append(
            "    - {name: %s, protocol: %s, port: %s, target: \"%s\", public_port: %d%s}%n"
                .formatted(
                    name,
                    service.protocol(),
                    service.target().substring(service.target().indexOf(':') + 1),
                    service.target(),
                    service.publicPort(),
                    service.settings().isEmpty() ? "" : ", " + service.settings())));
    return """
    pipeops:
      api_url: http://127.0.0.1:%d
      token: %s
    management:
      listen: 127.0.0.1:%d
    tunnels:
      services:
    %s\
    """
        .formatted(listenPort, TOKEN, agentManagement, list);
  }

  @Override
  public void close() {
    if (agent != null) {
      agent.close();
    }
    if (gateway != null) {
      gateway.close();
    }
    for (AutoCloseable closeable : owned) {
      try {
        closeable.close();
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
  }

  private Path write(String file, String text) {
    try {
      return Files.writeString(directory.resolve(file), text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
