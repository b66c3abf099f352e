package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A node joins a cluster that serves 10,000 tunnels on PostgreSQL. The aim, from its membership to
/// its readiness, is 5 s.
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@Tag("alone")
class JoiningNodeSystemTest {
  private static final int TUNNELS = 10_000;
  private static final Duration BOUND = Limits.time(Duration.ofSeconds(5));
  private static final Pattern PORT = Pattern.compile("\"tunnel_port\":(\\d+)");

  private final HttpClient http = HttpClient.newHttpClient();

  @Test
  void aNodeThatJoinsListensOnTenThousandPortsBeforeItIsReady(@TempDir Path directory)
      throws Exception {
    try (ClusterLab lab = ClusterLab.in(directory, 3).withoutCuts().start()) {
      long empty = lab.node(0).residentBytes();
      long start = System.nanoTime();
      Set<Integer> ports = sync(lab);
      Duration synced = since(start);
      assertThat(ports).hasSize(TUNNELS);
      lab.node(2).kill();
      await().atMost(Limits.time(Duration.ofSeconds(30))).until(() -> lab.sees(0, "ready") == 2);

      start = System.nanoTime();
      NodeProcess node = lab.startNode(2);
      await()
          .atMost(Limits.time(Duration.ofSeconds(30)))
          .pollInterval(Duration.ofMillis(10))
          .until(() -> {
            String why = readiness(lab);
            return !why.isEmpty() && !why.contains("joining");
          });
      long joined = System.nanoTime();
      node.awaitReady();
      Duration converged = since(joined);
      System.out.printf(
          "%d tunnels on PostgreSQL: synced in %d ms; a node that joins: a member %d ms after its"
              + " start, ready %d ms after that; resident memory of a node %d MiB without them, %d"
              + " MiB with them%n",
          TUNNELS,
          synced.toMillis(),
          Duration.ofNanos(joined - start).toMillis(),
          converged.toMillis(),
          empty >> 20,
          lab.node(0).residentBytes() >> 20);
      for (int port : ports) {
        Clients.assertListens(new InetSocketAddress(lab.listenAddress(2).getAddress(), port));
      }
      assertThat(converged).isLessThan(BOUND);
    }
  }

  /// What a node that is not ready waits for; "ready" of one that is, nothing of one that does not
  /// answer yet.
  private String readiness(ClusterLab lab) throws InterruptedException {
    var address = lab.managementAddress(2);
    try {
      HttpResponse<String> answer =
          http.send(
              HttpRequest.newBuilder(
                      URI.create("http://127.0.0.1:" + address.getPort() + "/readyz"))
                  .build(),
              HttpResponse.BodyHandlers.ofString());
      return answer.statusCode() == 200 ? "ready" : answer.body();
    } catch (IOException notYet) {
      return "";
    }
  }

  private Set<Integer> sync(ClusterLab lab) throws Exception {
    var address = lab.listenAddress(0);
    String body =
        IntStream.range(0, TUNNELS)
            .mapToObj(i ->
                """
                {"protocol":"tcp","tunnel_id":"t%d","gateway_port":%d,"service_name":"s",\
                "service_namespace":"n","service_port":80}\
                """
                    .formatted(i, i + 1))
            .collect(Collectors.joining(",", "{\"cluster_uuid\":\"lab\",\"tunnels\":[", "]}"));
    HttpResponse<String> answer =
        http.send(
            HttpRequest.newBuilder(
                    URI.create(
                        "http://"
                            + address.getAddress().getHostAddress()
                            + ":"
                            + address.getPort()
                            + "/api/v1/clusters/agent/lab/tunnels/sync"))
                .header("Authorization", "Bearer " + ClusterLab.TOKEN)
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
    var ports = new TreeSet<Integer>();
    PORT.matcher(answer.body()).results().forEach(it -> ports.add(Integer.valueOf(it.group(1))));
    return ports;
  }

  private static Duration since(long start) {
    return Duration.ofNanos(System.nanoTime() - start);
  }
}
