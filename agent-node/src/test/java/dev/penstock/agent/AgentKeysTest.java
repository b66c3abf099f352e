package dev.penstock.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.management.Scrape;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What single keys of `agent.yaml` do, where no test of the part that they belong to shows it.
class AgentKeysTest {
  @TempDir Path directory;
  private FakeGateway gateway;
  private Agent agent;

  @BeforeEach
  void startGateway() {
    gateway = FakeGateway.start();
  }

  @AfterEach
  void end() {
    if (agent != null) {
      agent.close();
    }
    gateway.close();
  }

  /// @param pipeops keys beside `api_url`
  /// @param ofAgent keys below `agent`
  /// @param ofService keys of the service beside name and port
  private void start(String pipeops, String ofAgent, String ofService) throws IOException {
    agent =
        Agent.start(
            AgentSettings.load(
                Files.writeString(
                    directory.resolve("agent.yaml"),
                    """
                    pipeops: {api_url: "http://127.0.0.1:%d", %s}
                    agent: {id: agent-1, links: {count: 1}%s}
                    tunnels: {services: [{name: db, port: 5432%s}]}
                    management: {listen: "127.0.0.1:0"}
                    """
                        .formatted(gateway.port(), pipeops, ofAgent, ofService)),
                Map.of()),
            new Agent.Announcements(_ -> {}, _ -> {}));
  }

  private static final String TOKEN = "token: s3cret";
  private static final String TARGET = ", target: \"127.0.0.1:1\"";

  @Test
  void theTokenOfAFileIsPresented() throws Exception {
    Path file = Files.writeString(directory.resolve("token"), " from-a-file\n");
    start("token_file: \"" + file + "\"", "", TARGET);
    assertThat(gateway.nextUpgrade().authorization()).isEqualTo("Bearer from-a-file");
  }

  @Test
  void theGatewayIsToldTheNameOfTheCluster() throws Exception {
    start(TOKEN + ", cluster_name: shop", "", TARGET);
    assertThat(gateway.nextRegister().name()).isEqualTo("shop");
  }

  @Test
  void theGatewayIsAskedForThePublicPort() throws Exception {
    start(TOKEN, "", TARGET + ", public_port: 15432");
    assertThat(gateway.nextAsked().registration().tunnelPort()).isEqualTo(15_432);
  }

  @Test
  void theMemoryForSlowReadersIsBoundedAsTold() throws Exception {
    start(
        TOKEN, ", windows: {max_stream: 1MiB, session_budget: 2MiB, process_budget: 3MiB}", TARGET);
    assertThat(metrics()).contains("penstock_agent_budget_limit_bytes " + (double) (3 << 20));
  }

  @Test
  void asManyThreadsCarryBytesAsAreAskedFor() throws Exception {
    try (var target = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      long before = loops();
      start(TOKEN, ", event_loops: 1", ", target: \"127.0.0.1:" + target.getLocalPort() + "\"");
      gateway.nextLink().open("tcp-lab-db-5432", 5432).awaitConnected();
      assertThat(loops() - before).isEqualTo(1);
    }
  }

  private static long loops() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("loop-"))
        .count();
  }

  private String metrics() {
    return Scrape.page(agent.managementAddress().getPort(), "/metrics");
  }
}
