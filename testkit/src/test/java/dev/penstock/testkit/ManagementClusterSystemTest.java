package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.testkit.EchoService.Behaviour;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Any node of a cluster answers for all of them, and acts on what another has.
@Timeout(300)
@Tag("alone")
class ManagementClusterSystemTest {
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(20));
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path directory;

  private final HttpClient http = HttpClient.newHttpClient();
  private ClusterLab lab;

  @BeforeEach
  void start() throws Exception {
    lab = ClusterLab.in(directory, 2).expose("echo", EchoService.start(Behaviour.echo()));
    lab.start();
    lab.startAgent(0);
    for (int node = 0; node < lab.size(); node++) {
      int at = node;
      await("node " + at + " serves").atMost(PATIENCE).until(() -> lab.echoes(at, "echo"));
    }
  }

  @AfterEach
  void end() {
    http.close();
    lab.close();
  }

  private HttpResponse<String> call(int node, String method, String path, String body)
      throws Exception {
    var address = lab.managementAddress(node);
    return http.send(
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + address.getPort() + path))
            .timeout(PATIENCE)
            .header("Penstock-Action", "test")
            .header("Content-Type", "application/json")
            .method(
                method, body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(body))
            .build(),
        BodyHandlers.ofString());
  }

  private JsonNode json(int node, String path) throws Exception {
    HttpResponse<String> answer = call(node, "GET", path, "");
    assertThat(answer.statusCode()).as(path + ": " + answer.body()).isEqualTo(200);
    return JSON.readTree(answer.body());
  }

  @Test
  void everyNodeAnswersForAllAndActsOnWhatAnotherHas() throws Exception {
    try (Socket first = client(0);
        Socket second = client(1)) {
      for (int node = 0; node < 2; node++) {
        int at = node;
        await().atMost(PATIENCE).until(() -> json(at, "/api/v1/streams").get("total").asInt() == 2);
        JsonNode nodes = json(node, "/api/v1/nodes?state=ready");
        assertThat(nodes.get("total").asInt()).as(nodes::toString).isEqualTo(2);
        assertThat(nodes.get("unanswered")).isEmpty();
        var seen = new HashSet<String>();
        String cursor = "";
        for (int page = 0; page < 2; page++) {
          JsonNode streams = json(node, "/api/v1/streams?limit=1&sort=client_address" + cursor);
          seen.add(streams.at("/items/0/client_address").asText());
          cursor = "&cursor=" + streams.path("next_cursor").asText();
        }
        assertThat(seen).containsExactlyInAnyOrder(own(first), own(second));
        await()
            .atMost(PATIENCE)
            .until(() ->
                json(at, "/api/v1/tunnels").at("/items/0/open_streams").asInt() == 2
                    && json(at, "/api/v1/tunnels").at("/items/0/bytes_out").asLong() >= 200);
        assertThat(json(node, "/api/v1/summary").get("open_streams").asInt()).isEqualTo(2);
      }
      String id =
          json(1, "/api/v1/streams?client_address=" + own(first)).at("/items/0/id").asText();
      assertThat(json(1, "/api/v1/streams/" + id).get("client_address").asText())
          .isEqualTo(own(first));
      assertThat(call(1, "POST", "/api/v1/streams/" + id + "/close", "").statusCode())
          .isEqualTo(200);
      assertThat(endOf(first)).isEqualTo("reset");

      String ban = "{\"source\":\"127.0.0.0/8\",\"seconds\":600}";
      assertThat(call(0, "POST", "/api/v1/bans", ban).statusCode()).isEqualTo(201);
      assertThat(endOf(second)).as("what the other node has of it").isEqualTo("reset");
      assertThat(json(1, "/api/v1/bans").get("total").asInt()).isEqualTo(1);
      assertThat(call(1, "DELETE", "/api/v1/bans/127.0.0.0-8", "").statusCode()).isEqualTo(200);
      await().atMost(PATIENCE).until(() -> lab.echoes(0, "echo"));
    }
    lab.node(1).signal("STOP");
    try {
      await()
          .atMost(PATIENCE)
          .until(() -> json(0, "/api/v1/streams").get("unanswered").size() == 1);
      assertThat(json(0, "/api/v1/nodes?state=unreachable").get("total").asInt())
          .isLessThanOrEqualTo(1);
    } finally {
      lab.node(1).signal("CONT");
    }
  }

  private Socket client(int node) throws IOException {
    Socket client = lab.connect(node, "echo");
    client.setSoTimeout((int) PATIENCE.toMillis());
    client.getOutputStream().write(new byte[100]);
    assertThat(client.getInputStream().readNBytes(100)).hasSize(100);
    return client;
  }

  private static String own(Socket client) {
    return client.getLocalAddress().getHostAddress() + ":" + client.getLocalPort();
  }

  private static String endOf(Socket client) throws IOException {
    try {
      return client.getInputStream().read() < 0 ? "end" : "bytes";
    } catch (SocketException reset) {
      return "reset";
    }
  }
}
