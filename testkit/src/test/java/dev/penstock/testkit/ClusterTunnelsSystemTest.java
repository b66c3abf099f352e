package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.protocol.control.KubernetesUid;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.TunnelRegistration;
import dev.penstock.testkit.EchoService.Behaviour;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Every node of a cluster serves every tunnel, whichever nodes the agent's links are at, and goes
/// on when another leaves.
@Timeout(300)
class ClusterTunnelsSystemTest {
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(20));
  private static final Payload BULK = new Payload(7, 64L * 1024 * 1024);
  private static final int NODES = 3;
  private static final int LINKS = 2;
  private static final String EAST = "0a1b2c3d-0000-4000-8000-00000000ea57";
  private static final String WEST = "0a1b2c3d-0000-4000-8000-000000000e57";

  @TempDir Path directory;

  private ClusterLab lab;

  @BeforeEach
  void prepare() {
    lab =
        ClusterLab.in(directory, NODES)
            .expose("echo", EchoService.start(Behaviour.echo()))
            .expose("digest", EchoService.start(Behaviour.digest()));
  }

  @AfterEach
  void end() {
    lab.close();
  }

  @Test
  void bulkThroughEachNodeArrivesWholeAndIsAnsweredAfterItsEnd() throws Exception {
    startAll();
    var answers = new ArrayList<CompletableFuture<Payload.Digest>>();
    for (int node = 0; node < NODES; node++) {
      answers.add(digestThrough(node));
    }
    for (var answer : answers) {
      assertThat(answer.join()).as(lab::report).isEqualTo(BULK.digest());
    }
    assertThat(
            lab.node(0).metric("relay_streams_total", "out")
                + lab.node(1).metric("relay_streams_total", "out")
                + lab.node(2).metric("relay_streams_total", "out"))
        .as("streams that took the way over another node")
        .isPositive();
  }

  @Test
  void aNodeThatLeavesLetsItsClientsFinish() throws Exception {
    startAll();
    int leaving = lab.nodesWithLinks().getFirst();
    try (Socket client = lab.connect(leaving, "echo")) {
      roundTrip(client);
      lab.node(leaving).signal("TERM");
      await("the agent has moved")
          .atMost(PATIENCE)
          .until(() ->
              List.of(0, 1, 2).stream().filter(node -> node != leaving).mapToInt(lab::links).sum()
                  == LINKS);
      for (int i = 0; i < 20; i++) {
        roundTrip(client);
      }
      for (int node = 0; node < NODES; node++) {
        if (node != leaving) {
          assertThat(lab.echoes(node, "echo")).as(lab::report).isTrue();
        }
      }
    }
    assertThat(lab.node(leaving).awaitExit()).as(lab::report).isZero();
  }

  @Test
  void aNameThatAKubernetesClusterHasAtOneNodeIsNotGivenToAnotherElsewhere() throws Exception {
    lab.start();
    HttpClient http = HttpClient.newHttpClient();
    try {
      WebSocket link = link(http, 0, EAST);
      await("the other nodes know")
          .atMost(PATIENCE)
          .until(() -> register(http, 1, WEST) == 409 && register(http, 2, WEST) == 409);
      assertThat(register(http, 1, EAST)).isEqualTo(200);
      link.abort();
      await("the name is free").atMost(PATIENCE).until(() -> register(http, 2, WEST) == 200);
    } finally {
      http.shutdownNow();
    }
  }

  /// A link like that of an original agent, which says where it is.
  private WebSocket link(HttpClient http, int node, String kubernetes) {
    return http.newWebSocketBuilder()
        .header("Authorization", "Bearer " + ClusterLab.TOKEN)
        .header(KubernetesUid.HEADER, kubernetes)
        .buildAsync(
            URI.create(
                "ws:/" + lab.listenAddress(node) + "/ws?agent_version=0&supports_yamux=true"),
            new WebSocket.Listener() {
              @Override
              public CompletionStage<?> onText(
                  WebSocket socket, CharSequence text, boolean isLast) {
                if (text.toString().contains("\"gateway_hello\"")) {
                  socket.sendText(
                      "{\"type\":\"gateway_hello_ack\",\"payload\":{\"use_yamux\":true}}", true);
                }
                return WebSocket.Listener.super.onText(socket, text, isLast);
              }
            })
        .join();
  }

  /// The status that a node answers to a registration.
  private int register(HttpClient http, int node, String kubernetes) throws Exception {
    String tunnel =
        TunnelRegistration.of(Protocol.TCP, "tcp-shared", "redis", 6_379).build().encode();
    URI tunnels =
        URI.create("http:/" + lab.listenAddress(node) + "/api/v1/clusters/agent/lab/tunnels");
    return http.send(
            HttpRequest.newBuilder(tunnels)
                .header("Authorization", "Bearer " + ClusterLab.TOKEN)
                .header(KubernetesUid.HEADER, kubernetes)
                .POST(BodyPublishers.ofString(tunnel))
                .build(),
            BodyHandlers.discarding())
        .statusCode();
  }

  private void startAll() throws Exception {
    lab.start();
    lab.startAgent(0);
    for (int node = 0; node < NODES; node++) {
      int at = node;
      await("node " + at + " serves").atMost(PATIENCE).until(() -> lab.echoes(at, "echo"));
    }
    await("links at two nodes").atMost(PATIENCE).until(() -> lab.nodesWithLinks().size() == LINKS);
  }

  private CompletableFuture<Payload.Digest> digestThrough(int node) {
    return CompletableFuture.supplyAsync(() -> {
      try (Socket client = lab.connect(node, "digest")) {
        return BULK.digestedBy(client);
      } catch (IOException e) {
        throw new CompletionException("node " + node, e);
      }
    });
  }

  private static void roundTrip(Socket client) throws IOException {
    client.setSoTimeout((int) PATIENCE.toMillis());
    client.getOutputStream().write('?');
    assertThat(client.getInputStream().read()).isEqualTo('?');
  }
}
