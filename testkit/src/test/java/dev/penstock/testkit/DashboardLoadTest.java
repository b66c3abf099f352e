package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.testkit.EchoService.Behaviour;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The dashboard stays light while there is much to show.
@Timeout(value = 400, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@Tag("alone")
class DashboardLoadTest {
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(30));

  /// Of a list's page.
  private static final Duration ANSWER = Limits.time(Duration.ofMillis(100));

  private static final Duration SEEN = Limits.time(Duration.ofSeconds(1));
  private static final double HEAP = 100e6;

  /// Of a core.
  private static final double CPU = 0.1;

  /// Clients that send something all the time.
  private static final int BUSY = 100;

  @Test
  @Tag("long")
  void aThousandTunnelsAndThreeHundredStreams(@TempDir Path directory) throws Exception {
    measure(directory, 1_000, 300, Duration.ofSeconds(2));
  }

  @Test
  @Tag("long")
  void tenThousandTunnelsAndFiveThousandStreams(@TempDir Path directory) throws Exception {
    measure(directory, 10_000, 5_000, Duration.ofSeconds(15));
  }

  private static void measure(Path directory, int tunnels, int streams, Duration look)
      throws Exception {
    Programs.require("chromium");
    var clients = new ArrayList<Socket>();
    try (EchoService echo = EchoService.start(Behaviour.echo());
        Lab lab =
            Lab.in(directory)
                .expose("echo", echo.address(), "tcp: {max_connections: 10000}")
                .start();
        HttpClient http = HttpClient.newHttpClient();
        Browser browser = Browser.start(directory);
        var traffic = Executors.newSingleThreadScheduledExecutor()) {
      try {
        Crowd.register(http, lab, tunnels - 1);
        for (int i = 0; i < streams; i++) {
          clients.add(client(lab));
        }
        traffic.scheduleAtFixedRate(
            () -> clients.subList(0, BUSY).forEach(Crowd::sendSome), 0, 200, TimeUnit.MILLISECONDS);
        for (String list :
            List.of(
                "tunnels?sort=-rate_out&limit=50",
                "tunnels?q=many-77&limit=50",
                "streams?sort=-rate_out&limit=50",
                "streams?limit=50")) {
          Duration answer = answer(http, lab, list);
          System.out.printf(
              "%d tunnels, %d streams: %s in %d ms%n", tunnels, streams, list, answer.toMillis());
          assertThat(answer).as(list).isLessThan(ANSWER);
        }
        browser.open(management(lab, "/dashboard/"));
        browser.awaitText("Busiest tunnels");
        for (String view : List.of("", "tunnels?sort=-rate_out", "streams?sort=-rate_out")) {
          browser.go("#/" + view);
          browser.awaitElement("tbody tr");
          look(browser, view, look);
        }
        browser.awaitText("of " + "%,d".formatted(streams));
        browser.go("#/streams");
        Duration seen = seen(lab, browser);
        System.out.println("a new connection is seen after " + seen.toMillis() + " ms");
        assertThat(seen).isLessThan(SEEN);
        assertThat(browser.errors()).isEmpty();
      } finally {
        traffic.shutdownNow();
        for (Socket client : clients) {
          client.close();
        }
      }
    }
  }

  private static URI management(Lab lab, String path) {
    return URI.create("http://127.0.0.1:" + lab.gatewayManagement() + path);
  }

  private static void send(HttpClient http, HttpRequest.Builder request) throws Exception {
    HttpResponse<String> answer = http.send(request.build(), BodyHandlers.ofString());
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
  }

  private static Socket client(Lab lab) throws IOException {
    Socket client = lab.connect("echo");
    client.setSoTimeout((int) PATIENCE.toMillis());
    lab.roundTrip(client);
    return client;
  }

  /// Half of the answers are quicker.
  private static Duration answer(HttpClient http, Lab lab, String list) throws Exception {
    var times = new ArrayList<Duration>();
    for (int i = 0; i < 21; i++) {
      long start = System.nanoTime();
      send(http, HttpRequest.newBuilder(management(lab, "/api/v1/" + list)));
      times.add(Duration.ofNanos(System.nanoTime() - start));
    }
    return times.stream().sorted().toList().get(10);
  }

  /// Has the page show a view for a while.
  private static void look(Browser browser, String view, Duration time) {
    double start = browser.metric("Timestamp");
    double busy = browser.metric("TaskDuration");
    await()
        .atMost(time.plus(PATIENCE))
        .pollInterval(Duration.ofSeconds(1))
        .until(() -> browser.metric("Timestamp") - start >= time.toSeconds());
    double share = (browser.metric("TaskDuration") - busy) / (browser.metric("Timestamp") - start);
    browser.collectGarbage();
    double heap = browser.metric("JSHeapUsedSize");
    System.out.printf(
        "view '%s': %.1f %% of a core, %.1f MB, %.0f nodes%n",
        view, share * 100, heap / 1e6, browser.metric("Nodes"));
    assertThat(heap).isLessThan(HEAP);
    assertThat(share).isLessThan(Limits.isCi() ? 5 * CPU : CPU);
  }

  /// From the client's connect until it is to be read; half of them are quicker.
  private static Duration seen(Lab lab, Browser browser) throws Exception {
    var times = new ArrayList<Duration>();
    for (int i = 0; i < 5; i++) {
      long start = System.nanoTime();
      try (Socket client = client(lab)) {
        browser.awaitText("127.0.0.1:" + client.getLocalPort());
      }
      times.add(Duration.ofNanos(System.nanoTime() - start));
    }
    return times.stream().sorted().toList().get(2);
  }
}
