package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// One sync registers 10,000 tunnels; a killed gateway listens on the same ports again. The aim for
/// the sync is 3 s, with the start-up cache; what is asserted leaves room for a busy machine.
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@Tag("alone")
class ManyTunnelsSystemTest {
  private static final int TUNNELS = 10_000;
  private static final Duration BOUND = Duration.ofSeconds(20);
  private static final Pattern TUNNEL =
      Pattern.compile(
          "\"tunnel_id\":\"([^\"]+)\"[^{}]*\"tunnel_port\":(\\d+)[^{}]*\"listening\":true");

  private final HttpClient http = HttpClient.newHttpClient();

  @Test
  void tenThousandTunnelsOfOneSyncListenAndDoSoAgainAfterAKill(@TempDir Path directory)
      throws Exception {
    try (Lab lab = Lab.in(directory)) {
      lab.startGateway().awaitReady();
      URI tunnels =
          URI.create("http://127.0.0.1:" + lab.listenPort() + "/api/v1/clusters/agent/lab/tunnels");
      String body =
          IntStream.range(0, TUNNELS)
              .mapToObj(ManyTunnelsSystemTest::entry)
              .collect(Collectors.joining(",", "{\"cluster_uuid\":\"lab\",\"tunnels\":[", "]}"));

      long start = System.nanoTime();
      String answer =
          send(
              HttpRequest.newBuilder(URI.create(tunnels + "/sync"))
                  .POST(HttpRequest.BodyPublishers.ofString(body)));
      Duration first = since(start);
      Map<String, Integer> ports = ports(answer);
      assertThat(ports).as(lab::report).hasSize(TUNNELS);
      assertThat(ports.values()).doesNotHaveDuplicates();
      assertAllListen(ports);

      start = System.nanoTime();
      assertThat(
              ports(
                  send(
                      HttpRequest.newBuilder(URI.create(tunnels + "/sync"))
                          .POST(HttpRequest.BodyPublishers.ofString(body)))))
          .isEqualTo(ports);
      Duration again = since(start);

      lab.gateway().kill();
      start = System.nanoTime();
      lab.startGateway().awaitReady();
      Duration ready = since(start);
      assertThat(ports(send(HttpRequest.newBuilder(tunnels)))).isEqualTo(ports);
      assertAllListen(ports);
      System.out.printf(
          "%d tunnels: synced in %d ms, again in %d ms, ready after a kill in %d ms%n",
          TUNNELS, first.toMillis(), again.toMillis(), ready.toMillis());
      assertThat(first).isLessThan(BOUND);
      assertThat(ready).isLessThan(BOUND);
      assertThat(lab.gateway().terminate()).as(lab::report).isZero();
    }
  }

  @Test
  void everyAcknowledgedTunnelIsThereAtItsPortAfterKills(@TempDir Path directory) throws Exception {
    killAfterAcknowledgements(directory, 2, 500);
  }

  @Test
  @Tag("long")
  void everyAcknowledgedTunnelIsThereAtItsPortAfterManyKills(@TempDir Path directory)
      throws Exception {
    killAfterAcknowledgements(directory, 8, 2_000);
  }

  /// Registers tunnels one by one over several connections, kills the gateway as soon as so many of
  /// them were acknowledged, while others are under way, and looks for all that ever were.
  private void killAfterAcknowledgements(Path directory, int kills, int tunnels) throws Exception {
    var acknowledged = new ConcurrentSkipListMap<String, Integer>();
    try (Lab lab = Lab.in(directory)) {
      lab.startGateway().awaitReady();
      URI uri =
          URI.create("http://127.0.0.1:" + lab.listenPort() + "/api/v1/clusters/agent/lab/tunnels");
      var next = new AtomicInteger();
      for (int kill = 0; kill < kills; kill++) {
        int before = acknowledged.size();
        var enough = new CountDownLatch(tunnels);
        try (var senders = Executors.newFixedThreadPool(8)) {
          for (int i = 0; i < 8; i++) {
            senders.execute(() -> registerUntilItFails(uri, next, acknowledged, enough));
          }
          assertThat(enough.await(60, TimeUnit.SECONDS)).as(lab::report).isTrue();
          lab.gateway().kill();
        }
        assertThat(acknowledged).hasSizeGreaterThanOrEqualTo(before + tunnels);
        lab.startGateway().awaitReady();
        assertThat(ports(send(HttpRequest.newBuilder(uri))))
            .as(lab::report)
            .containsAllEntriesOf(acknowledged);
      }
      assertThat(acknowledged.values()).doesNotHaveDuplicates();
      assertAllListen(acknowledged);
    }
    System.out.printf("%d kills: %d acknowledged tunnels, none lost%n", kills, acknowledged.size());
  }

  private void registerUntilItFails(
      URI uri, AtomicInteger next, Map<String, Integer> acknowledged, CountDownLatch enough) {
    try {
      while (true) {
        String answer =
            send(
                HttpRequest.newBuilder(uri)
                    .POST(HttpRequest.BodyPublishers.ofString(entry(next.getAndIncrement()))));
        ports(answer)
            .forEach((tunnel, port) -> {
              acknowledged.put(tunnel, port);
              enough.countDown();
            });
      }
    } catch (IOException killed) {
      // What was under way may be there or not.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// From the registration of the agent until every service can be reached. The start of the
  /// process, which reads a file of 10,000 services, does not count, and the limit leaves room for
  /// a busy machine.
  @Test
  void anAgentWithTenThousandServicesIsReadyInSeconds(@TempDir Path directory) throws Exception {
    String services =
        IntStream.range(0, TUNNELS)
            .mapToObj(
                i -> "    - {name: s%d, port: %d, target: \"127.0.0.1:9\"}".formatted(i, i + 1))
            .collect(Collectors.joining("\n"));
    int management = Ports.free();
    try (Lab lab = Lab.in(directory)) {
      lab.startGateway().awaitReady();
      Path config =
          Files.writeString(
              directory.resolve("many.yaml"),
              """
              pipeops: {api_url: "http://127.0.0.1:%d", token: %s}
              management: {listen: "127.0.0.1:%d"}
              tunnels:
                services:
              %s
              """
                  .formatted(lab.listenPort(), Lab.TOKEN, management, services));
      try (NodeProcess agent =
          NodeProcess.start(
              directory, management, Map.of(), List.of("agent", "--config", config.toString()))) {
        await()
            .atMost(Duration.ofMinutes(1))
            .until(() ->
                agent.log().stream().anyMatch(line -> line.contains("registered at the gateway")));
        long start = System.nanoTime();
        agent.awaitReady();
        Duration ready = since(start);
        System.out.printf("an agent with %d services: ready in %d ms%n", TUNNELS, ready.toMillis());
        assertThat(ready).isLessThan(BOUND.multipliedBy(2));
        await().atMost(BOUND).until(() -> agent.output().size() >= TUNNELS);
      }
    }
  }

  private static String entry(int number) {
    return """
    {"cluster_uuid":"lab","protocol":"tcp","tunnel_id":"tcp-lab-g-%1$d","gateway_name":"g","gateway_namespace":"ns",\
    "gateway_port":%1$d,"service_name":"","service_namespace":"","service_port":0,"routing_mode":"tunnel"}\
    """
        .formatted(number + 1);
  }

  private String send(HttpRequest.Builder request) throws IOException, InterruptedException {
    HttpResponse<String> answer =
        http.send(
            request.header("Authorization", "Bearer " + Lab.TOKEN).build(),
            HttpResponse.BodyHandlers.ofString());
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
    return answer.body();
  }

  /// Of the tunnels that listen.
  private static Map<String, Integer> ports(String answer) {
    var ports = new TreeMap<String, Integer>();
    TUNNEL
        .matcher(answer)
        .results()
        .forEach(tunnel -> ports.put(tunnel.group(1), Integer.valueOf(tunnel.group(2))));
    return ports;
  }

  private static void assertAllListen(Map<String, Integer> ports) throws IOException {
    for (int port : ports.values()) {
      Clients.assertListens(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    }
  }

  private static Duration since(long start) {
    return Duration.ofNanos(System.nanoTime() - start);
  }
}
