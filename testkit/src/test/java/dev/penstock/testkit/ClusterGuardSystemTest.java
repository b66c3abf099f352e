package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.h2.tools.Server;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Strangers, nodes of other clusters and databases that are not ours or not there: refused with a
/// reason or waited for, and nothing else is harmed.
@Timeout(300)
class ClusterGuardSystemTest {
  private static final int BAD_CONFIGURATION = 2;
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(30));
  private static final String CONTROL = "penstock_gateway_cluster_rejected_total{";
  private static final String RELAY = "penstock_gateway_relay_rejected_total{";

  @TempDir Path directory;

  @Test
  void whatIsNotOfTheClusterIsRefusedWithAReasonAndHarmsNobody() throws Exception {
    try (var lab =
        ClusterLab.in(directory, 2)
            .with("leases: {tenants: [{cluster: lab, ports: [10000-65535]}]}")
            .expose("echo", EchoService.start(EchoService.Behaviour.echo()))
            .start()) {
      lab.startAgent(0);
      await().atMost(PATIENCE).until(() -> lab.echoes(0, "echo") && lab.echoes(1, "echo"));

      strangersAtThePortsOfNodesAreCountedAndLogged(lab);
      aNodeOfAnotherClusterLeavesTheDatabaseAlone(lab);
      aNodeWithAnotherSecretIsNotLetIn(lab);
      aPortOutOfTheTenantsRangeIsAProblemInWords(lab);

      assertThat(lab.echoes(0, "echo") && lab.echoes(1, "echo")).as(lab::report).isTrue();
      assertThat(lab.sees(0, "ready")).isEqualTo(2);
      aNewerSchemaIsRefused(lab);
    }
  }

  private static void strangersAtThePortsOfNodesAreCountedAndLogged(ClusterLab lab)
      throws IOException {
    String http =
        HexFormat.of()
            .formatHex("GET / HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
    say(lab.controlAddress(0), http);
    say(lab.controlAddress(0), "16030100c8010000c40303");
    say(lab.controlAddress(0), "de3f9a00112233445566778899aabbcc");
    say(lab.controlAddress(0), "414b4b4101ffffff7f");
    awaitCount(lab, CONTROL, "foreign", 3);
    awaitCount(lab, CONTROL, "too_long", 1);
    assertThat(lab.node(0).log())
        .anyMatch(line ->
            line.contains("refused a peer of the control port") && line.contains("47 45 54 20"));
    say(lab.relayAddress(0), http);
    say(lab.relayAddress(0), "16030100c8010000c40303");
    say(lab.relayAddress(0), "de3f9a00112233445566778899aabbcc");
    await()
        .atMost(PATIENCE)
        .untilAsserted(() -> assertThat(lab.node(0).metric(RELAY)).isGreaterThanOrEqualTo(3));
    assertThat(lab.node(0).log())
        .anyMatch(line -> line.contains("refused a peer of the relay port"));
  }

  private static void aNodeOfAnotherClusterLeavesTheDatabaseAlone(ClusterLab lab) {
    try (var other = lab.startStranger(yaml -> yaml.replace("name: lab\n", "name: other\n"))) {
      assertThat(other.awaitExit()).as(other::report).isEqualTo(BAD_CONFIGURATION);
      assertThat(other.log())
          .anyMatch(line ->
              line.contains("store.url")
                  && line.contains("belongs to another cluster of gateways (expected: "));
    }
  }

  private static void aNodeWithAnotherSecretIsNotLetIn(ClusterLab lab) {
    try (var other =
        lab.startStranger(yaml ->
            yaml.replace("secret: the-", "secret: another-")
                .replaceAll("store: .*", "store: {url: \"jdbc:h2:mem:other\"}"))) {
      assertThat(other.awaitExit()).as(other::report).isEqualTo(BAD_CONFIGURATION);
      assertThat(other.log())
          .anyMatch(line -> line.contains("the cluster refused this node: it has another"));
    }
    var asked = List.of(lab.node(0), lab.node(1));
    assertThat(asked)
        .anySatisfy(node -> {
          assertThat(node.metric("penstock_gateway_cluster_joins_refused_total")).isPositive();
          assertThat(node.log())
              .anyMatch(line -> line.contains("not of this cluster: another cluster.secret"));
        });
  }

  private static void aPortOutOfTheTenantsRangeIsAProblemInWords(ClusterLab lab) throws Exception {
    var node = lab.listenAddress(0);
    try (var http = HttpClient.newHttpClient()) {
      HttpResponse<String> answer =
          http.send(
              HttpRequest.newBuilder(
                      URI.create(
                          "http://"
                              + node.getHostString()
                              + ":"
                              + node.getPort()
                              + "/api/v1/clusters/agent/lab/tunnels"))
                  .header("Authorization", "Bearer " + ClusterLab.TOKEN)
                  .POST(
                      HttpRequest.BodyPublishers.ofString(
                          "{\"protocol\":\"tcp\",\"tunnel_id\":\"far\",\"gateway_port\":80,"
                              + "\"routing_mode\":\"tunnel\",\"tunnel_port\":9}"))
                  .build(),
              HttpResponse.BodyHandlers.ofString());
      assertThat(answer.statusCode()).isEqualTo(409);
      assertThat(answer.headers().firstValue("Content-Type")).contains("application/problem+json");
      assertThat(answer.body()).contains("public port: 9 (expected: one of 10000-35000)");
    }
  }

  private static void aNewerSchemaIsRefused(ClusterLab lab) throws Exception {
    try (var connection =
            DriverManager.getConnection(lab.database().url(), lab.database().user(), "");
        var statement = connection.createStatement()) {
      statement.execute("UPDATE penstock_store SET version = 7");
    }
    try (var late = lab.startStranger(yaml -> yaml)) {
      assertThat(late.awaitExit()).as(late::report).isEqualTo(BAD_CONFIGURATION);
      assertThat(late.log())
          .anyMatch(line ->
              line.contains(".yaml:")
                  && line.contains("store.url")
                  && line.contains("has schema version 7 (expected: at most")
                  && line.contains("run that one, or give this one another database"));
    }
  }

  @Test
  void aNodeWaitsForItsDatabaseAndThenServes() throws Exception {
    int port = Ports.free();
    int management = Ports.free();
    Path config = alone(management, "jdbc:h2:tcp://127.0.0.1:" + port + "/./penstock", "penstock");
    try (var node = gateway(management, config)) {
      await()
          .atMost(PATIENCE)
          .until(() -> body(management, "/readyz").contains("waiting for the database"));
      assertThat(node.status("/readyz")).isEqualTo(503);
      var server =
          Server.createTcpServer(
                  "-tcpPort",
                  Integer.toString(port),
                  "-baseDir",
                  directory.toString(),
                  "-ifNotExists")
              .start();
      try {
        node.awaitReady();
        assertThat(node.log())
            .filteredOn(line -> line.contains("does not answer; waiting for it"))
            .hasSize(1);
        try (var stranger =
            gateway(
                Ports.free(),
                alone(Ports.free(), "jdbc:h2:tcp://127.0.0.1:" + port + "/./penstock", "nobody"))) {
          assertThat(stranger.awaitExit()).as(stranger::report).isEqualTo(BAD_CONFIGURATION);
          assertThat(stranger.log()).anyMatch(line -> line.contains("refuses this gateway"));
        }
      } finally {
        server.stop();
      }
    }
  }

  @Test
  void aUrlThatNoDatabaseHasIsRefused() throws Exception {
    try (var node =
        gateway(Ports.free(), alone(Ports.free(), "jdbc:postgresql://db:port/x", "penstock"))) {
      assertThat(node.awaitExit()).as(node::report).isEqualTo(BAD_CONFIGURATION);
      assertThat(node.log()).anyMatch(line -> line.contains("store.url"));
    }
  }

  private NodeProcess gateway(int management, Path config) {
    return NodeProcess.start(
        directory, management, Map.of(), List.of("gateway", "--config", config.toString()));
  }

  private Path alone(int management, String url, String user) throws IOException {
    int control = Ports.free();
    return Files.writeString(
        directory.resolve("gateway-" + management + ".yaml"),
        """
        gateway:
          listen: 127.0.0.1:0
          data_dir: %s
          auth:
            tokens:
              - {token: s3cret, cluster: lab}
        management:
          listen: 127.0.0.1:%d
        store: {url: "%s", user: %s}
        cluster:
          enabled: true
          name: lab
          listen: 127.0.0.1:%d
          relay: 127.0.0.1:%d
          seeds: [127.0.0.1:%d]
          secret: the-secret-of-a-node
        """
            .formatted(
                directory.resolve("data"), management, url, user, control, Ports.free(), control));
  }

  private static String body(int management, String path) {
    try (var http = HttpClient.newHttpClient()) {
      return http.sendAsync(
              HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + management + path)).build(),
              HttpResponse.BodyHandlers.ofString())
          .thenApply(HttpResponse::body)
          .exceptionallyCompose(_ -> CompletableFuture.completedFuture(""))
          .join();
    }
  }

  /// Says this to a port, and waits for the end of the connection.
  private static void say(InetSocketAddress to, String hex) throws IOException {
    try (var socket = new Socket(to.getAddress(), to.getPort())) {
      socket.setSoTimeout((int) PATIENCE.toMillis());
      socket.getOutputStream().write(HexFormat.of().parseHex(hex));
      socket.getInputStream().readAllBytes();
    } catch (SocketException reset) {
      assertThat(reset.getMessage()).contains("reset");
    }
  }

  private static void awaitCount(ClusterLab lab, String series, String reason, int count) {
    await()
        .atMost(PATIENCE)
        .untilAsserted(
            () -> assertThat(lab.node(0).metric(series, '"' + reason + '"')).isEqualTo(count));
  }
}
