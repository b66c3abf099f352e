package dev.penstock.testkit.original;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Set;

/// The original agent's REST calls for tunnels: no retry, and no other status than those listed.
public final class OriginalRest implements AutoCloseable {
  private static final Duration TIMEOUT = Duration.ofSeconds(30);

  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final URI api;
  private final String token;
  private final String cluster;

  /// @param api base of the calls; a path in it is kept
  /// @param cluster the `cluster_id` of the registration
  public OriginalRest(URI api, String token, String cluster) {
    this.api = api;
    this.token = token;
    this.cluster = cluster;
  }

  /// What the gateway assigned.
  public record Registered(String tunnelId, int tunnelPort, String tunnelEndpoint) {}

  /// Registers a tunnel, as the agent does again at every change and every 5 minutes.
  ///
  /// @throws IOException another status than 200 or 201
  public Registered register(OriginalTunnel tunnel) throws IOException, InterruptedException {
    JsonNode answer = call("POST", "", Set.of(200, 201), OriginalJson.body(tunnel.full(cluster)));
    return new Registered(
        answer.path("tunnel_id").asText(),
        answer.path("tunnel_port").asInt(),
        answer.path("tunnel_endpoint").asText());
  }

  /// Sends all tunnels without their services, as the agent does every 5 minutes; gives the whole
  /// answer.
  ///
  /// @throws IOException another status than 200
  public JsonNode sync(List<OriginalTunnel> tunnels) throws IOException, InterruptedException {
    var body = new LinkedHashMap<String, Object>();
    body.put("cluster_uuid", cluster);
    body.put("tunnels", tunnels.stream().map(tunnel -> tunnel.withoutService(cluster)).toList());
    return call("POST", "/sync", Set.of(200), OriginalJson.body(body));
  }

  /// Takes a tunnel back.
  ///
  /// @throws IOException another status than 200 or 204
  public void delete(OriginalTunnel tunnel) throws IOException, InterruptedException {
    call("DELETE", "/" + tunnel.id(cluster), Set.of(200, 204), "");
  }

  /// All tunnels of the cluster; the agent itself never asks.
  ///
  /// @throws IOException another status than 200
  public JsonNode list() throws IOException, InterruptedException {
    return call("GET", "", Set.of(200), "");
  }

  private JsonNode call(String method, String path, Set<Integer> accepted, String body)
      throws IOException, InterruptedException {
    BodyPublisher publisher =
        body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(body);
    HttpResponse<String> answer =
        http.send(
            HttpRequest.newBuilder(
                    URI.create(
                        api.toString().replaceFirst("/$", "")
                            + "/api/v1/clusters/agent/"
                            + cluster
                            + "/tunnels"
                            + path))
                .timeout(TIMEOUT)
                .header("Authorization", "Bearer " + token)
                .header("Content-Type", "application/json")
                .method(method, publisher)
                .build(),
            BodyHandlers.ofString());
    if (!accepted.contains(answer.statusCode())) {
      throw new IOException(
          "%s tunnels%s: status %d (expected: one of %s): %s"
              .formatted(method, path, answer.statusCode(), accepted, answer.body()));
    }
    return OriginalJson.read(answer.body());
  }

  @Override
  public void close() {
    http.shutdownNow();
  }
}
