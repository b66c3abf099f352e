package dev.penstock.gateway;

import static dev.penstock.gateway.GatewayLab.TOKEN;
import static dev.penstock.gateway.GatewayLab.tunnel;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.protocol.control.KubernetesUid;
import dev.penstock.protocol.control.TunnelSync;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Agents of two Kubernetes clusters that have one token: the name is that of the first until its
/// last socket is closed.
class SharedNameTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String EAST = "0a1b2c3d-0000-4000-8000-00000000ea57";
  private static final String WEST = "0a1b2c3d-0000-4000-8000-000000000e57";

  private final HttpClient http = HttpClient.newHttpClient();

  @TempDir Path directory;
  private GatewayLab lab;

  @BeforeEach
  void start() throws IOException {
    lab = GatewayLab.in(directory).start();
  }

  @AfterEach
  void end() throws Exception {
    // Does not wait for the sockets to end, as close would.
    http.shutdownNow();
    lab.close();
  }

  private WebSocket link(String uid) {
    var builder = http.newWebSocketBuilder().header("Authorization", "Bearer " + TOKEN);
    if (!uid.isEmpty()) {
      builder.header(KubernetesUid.HEADER, uid);
    }
    URI rest = lab.rest("/ws?supports_yamux=true");
    return builder
        .buildAsync(
            URI.create("ws://" + rest.getAuthority() + "/ws?supports_yamux=true"),
            new WebSocket.Listener() {})
        .join();
  }

  private HttpResponse<String> call(String uid, String path, String method, String body) {
    var request =
        HttpRequest.newBuilder(URI.create(lab.tunnels("lab") + path))
            .header("Authorization", "Bearer " + TOKEN)
            .method(method, HttpRequest.BodyPublishers.ofString(body));
    if (!uid.isEmpty()) {
      request.header(KubernetesUid.HEADER, uid);
    }
    return lab.send(request.build());
  }

  private HttpResponse<String> register(String uid) {
    return call(uid, "", "POST", tunnel("redis", 6_379).build().encode());
  }

  private double rejected() {
    return lab.metric("penstock_gateway_rejected_total{reason=\"foreign_kubernetes\"}");
  }

  @Test
  void theSecondClusterIsRefusedALinkAndToldWhose() {
    link(EAST);
    link(EAST);
    assertThatThrownBy(() -> link(WEST))
        .isInstanceOf(CompletionException.class)
        .cause()
        .isInstanceOfSatisfying(
            WebSocketHandshakeException.class,
            refusal -> {
              assertThat(refusal.getResponse().statusCode()).isEqualTo(409);
              assertThat(refusal.getResponse().headers().firstValueAsLong("Retry-After"))
                  .isPresent();
            });
    assertThat(rejected()).isOne();
  }

  @Test
  void theSecondClusterCanNeitherAddNorTakeAwayATunnel() throws Exception {
    link(EAST);
    assertThat(register(EAST).statusCode()).isEqualTo(200);

    HttpResponse<String> refused = register(WEST);
    assertThat(refused.statusCode()).isEqualTo(409);
    assertThat(refused.body()).contains("kubernetes: " + WEST, EAST, "cluster lab", "(expected: ");
    assertThat(call(WEST, "/tcp-redis", "DELETE", "").statusCode()).isEqualTo(409);
    JsonNode synced =
        JSON.readTree(
            call(
                    WEST,
                    "/sync",
                    "POST",
                    TunnelSync.encode(
                        "lab", List.of(tunnel("a", 1_000).build(), tunnel("b", 1_001).build())))
                .body());
    assertThat(synced.get("accepted")).isEmpty();
    assertThat(synced.get("rejected").findValuesAsText("tunnel_id"))
        .containsExactly("tcp-a", "tcp-b");
    assertThat(lab.list("lab").findValuesAsText("tunnel_id")).containsExactly("tcp-redis");
    assertThat(rejected()).isEqualTo(3);
  }

  @Test
  void theSecondClusterFollowsWhenTheLastLinkOfTheFirstIsClosed() {
    WebSocket one = link(EAST);
    WebSocket other = link(EAST);
    one.abort();
    assertThat(register(WEST).statusCode()).isEqualTo(409);
    other.abort();
    Patiently.until(() -> register(WEST).statusCode() == 200);
    link(WEST);
    assertThat(register(EAST).statusCode()).isEqualTo(409);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "no uid", "1234567890123456789012345678901234567890123456789012345678901234x"})
  void whoDoesNotSayWhereItIsIsTakenAndKeepsNobodyOut(String uid) {
    link(uid);
    assertThat(register(EAST).statusCode()).isEqualTo(200);
    link(EAST);
    link(uid);
    assertThat(register(uid).statusCode()).isEqualTo(200);
    assertThat(rejected()).isZero();
  }
}
