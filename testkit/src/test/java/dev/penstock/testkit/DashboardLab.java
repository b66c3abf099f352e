package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.agent.Agent;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.agent.settings.Expose;
import dev.penstock.config.HostPort;
import dev.penstock.config.Outside;
import dev.penstock.gateway.Gateway;
import dev.penstock.gateway.GatewaySettings;
import dev.penstock.testkit.EchoService.Behaviour;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/// A gateway and an agent of this process with a service that echoes, and tokens for the management
/// port: `reads` of ann and `acts` of bob.
final class DashboardLab implements AutoCloseable {
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(20));

  private static final Pattern TUNNEL_PORT = Pattern.compile("\"tunnel_port\":(\\d+)");

  private final HttpClient http = HttpClient.newHttpClient();
  private final EchoService echo;
  private final Gateway gateway;
  private final Agent agent;
  private final int port;

  private DashboardLab(EchoService echo, Gateway gateway, Agent agent, int port) {
    this.echo = echo;
    this.gateway = gateway;
    this.agent = agent;
    this.port = port;
  }

  static DashboardLab in(Path directory) throws Exception {
    EchoService echo = EchoService.start(Behaviour.echo());
    Path config =
        Files.writeString(
            directory.resolve("gateway.yaml"),
            """
            gateway:
              listen: 127.0.0.1:0
              data_dir: data
              public: {host: 127.0.0.1, bind: 127.0.0.1}
              auth:
                tokens:
                  - {token: agent, cluster: one}
                  - {token: other, cluster: two}
            management:
              listen: 127.0.0.1:0
              tokens:
                - {name: ann, token: reads}
                - {name: bob, token: acts, role: operate}
            """);
    Gateway gateway = Gateway.start(GatewaySettings.load(config));
    var port = new CompletableFuture<Integer>();
    Agent agent =
        Agent.start(
            AgentSettings.of(
                Map.of(),
                List.of(
                    new Outside(
                        "pipeops.api_url",
                        "test",
                        "http://127.0.0.1:" + gateway.address().getPort()),
                    new Outside("pipeops.token", "test", "agent"),
                    new Outside("management.listen", "test", "127.0.0.1:0")),
                List.of(
                    new Expose(
                        "echo",
                        HostPort.parse(echo.address()).orElseThrow(),
                        OptionalInt.empty()))),
            new Agent.Announcements(
                line -> {
                  String address = line.split(" +", 4)[2];
                  port.complete(Integer.valueOf(address.substring(address.lastIndexOf(':') + 1)));
                },
                why -> {}));
    return new DashboardLab(echo, gateway, agent, port.get(PATIENCE.toSeconds(), TimeUnit.SECONDS));
  }

  /// The dashboard of the gateway.
  URI dashboard() {
    return management("/dashboard/");
  }

  /// The dashboard of the agent.
  URI agentDashboard() {
    return URI.create("http://127.0.0.1:" + agent.managementAddress().getPort() + "/dashboard/");
  }

  /// Something at the gateway's management port.
  URI management(String path) {
    return URI.create("http://127.0.0.1:" + gateway.managementAddress().getPort() + path);
  }

  /// A client of the service, after its first bytes came back.
  Socket client() throws IOException {
    var socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setSoTimeout((int) PATIENCE.toMillis());
    socket.getOutputStream().write('?');
    assertThat(socket.getInputStream().read()).isEqualTo('?');
    return socket;
  }

  /// An answer of the management API.
  String get(String path) throws Exception {
    return send(request(path));
  }

  /// Does something by the management API.
  String post(String path, String body) throws Exception {
    return send(
        request(path)
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString(body)));
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(management(path)).header("Authorization", "Bearer acts");
  }

  /// Registers a tunnel as another cluster's agent does; its public port.
  int register(String tunnel, String service) throws Exception {
    String answer =
        send(
            HttpRequest.newBuilder(
                    URI.create(
                        "http://127.0.0.1:"
                            + gateway.address().getPort()
                            + "/api/v1/clusters/agent/two/tunnels"))
                .header("Authorization", "Bearer other")
                .POST(
                    BodyPublishers.ofString(
                        """
                        {"cluster_uuid":"two","protocol":"tcp","tunnel_id":"%s","gateway_name":"g",\
                        "gateway_namespace":"ns","gateway_port":80,"service_name":"%s",\
                        "service_namespace":"","service_port":80,"routing_mode":"tunnel"}\
                        """
                            .formatted(tunnel, service))));
    var port = TUNNEL_PORT.matcher(answer);
    assertThat(port.find()).as(answer).isTrue();
    return Integer.parseInt(port.group(1));
  }

  private String send(HttpRequest.Builder request) throws Exception {
    HttpResponse<String> answer = http.send(request.build(), BodyHandlers.ofString());
    assertThat(answer.statusCode()).as(answer.body()).isBetween(200, 299);
    return answer.body();
  }

  @Override
  public void close() throws IOException {
    http.close();
    agent.close();
    gateway.close();
    echo.close();
  }
}
