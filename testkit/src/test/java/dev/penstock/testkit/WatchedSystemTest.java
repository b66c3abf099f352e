package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Lists are quick while there is much in them, and who looks at them does not hold up the clients.
@Timeout(value = 400, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@Tag("alone")
class WatchedSystemTest {
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(30));

  /// Of half of the answers, and of 99 of 100.
  private static final Duration ANSWER = Limits.time(Duration.ofMillis(100));

  private static final Duration SLOW_ANSWER = ANSWER.multipliedBy(3);

  /// What the slowest of 100 pings may need more while everything is watched. On a machine with
  /// idle cores there is no difference; on two that the clients share there is some.
  private static final Duration SLOWER = Limits.time(Duration.ofMillis(5));

  /// Clients that send something all the time.
  private static final int BUSY = 100;

  private static final List<String> LISTS =
      List.of(
          "tunnels",
          "tunnels?sort=-rate_out&limit=50",
          "tunnels?q=many-77&limit=50",
          "leases",
          "leases?limit=500",
          "streams",
          "streams?sort=-rate_out&limit=50",
          "streams?limit=500",
          "sessions",
          "links",
          "agents",
          "nodes",
          "events",
          "bans",
          "audit",
          "summary");

  /// How much there is, and how often it is looked at.
  ///
  /// @param lookers at each list, and of those of the dashboard at each of its views
  /// @param rounds of pings without and with watchers, in turn
  private record Size(
      int tunnels, int streams, int sessions, int requests, int lookers, int rounds, int pings) {}

  @Test
  void aThousandTunnelsAndThreeHundredStreams(@TempDir Path directory) throws Exception {
    measure(directory, new Size(1_000, 300, 20, 11, 2, 1, 1_000));
  }

  @Test
  @Tag("long")
  void tenThousandTunnelsAndFiveThousandStreams(@TempDir Path directory) throws Exception {
    measure(directory, new Size(10_000, 5_000, 500, 50, 5, 5, 5_000));
  }

  private static void measure(Path directory, Size size) throws Exception {
    var clients = new ArrayList<Socket>();
    var peers = new ArrayList<DatagramSocket>();
    try (EchoProcess echo = EchoProcess.start();
        UdpEcho udp = UdpEcho.start();
        Lab lab =
            Lab.in(directory)
                .expose("echo", echo.address(), "tcp: {max_connections: 10000}")
                .exposeUdp("udp", udp.address())
                .start();
        HttpClient http = HttpClient.newHttpClient();
        var traffic = Executors.newSingleThreadScheduledExecutor()) {
      try {
        Crowd.register(http, lab, size.tunnels() - 2);
        for (int i = 0; i < size.streams(); i++) {
          Socket client = lab.connect("echo");
          client.setSoTimeout((int) PATIENCE.toMillis());
          lab.roundTrip(client);
          clients.add(client);
        }
        for (int i = 0; i < size.sessions(); i++) {
          peers.add(session(lab));
        }
        traffic.scheduleAtFixedRate(
            () -> clients.subList(0, BUSY).forEach(Crowd::sendSome), 0, 200, TimeUnit.MILLISECONDS);
        System.out.println(size);
        for (String list : LISTS) {
          listIsQuick(http, lab, list, size.requests());
        }
        watchersDoNotHoldUp(http, lab, size);
      } finally {
        traffic.shutdownNow();
        for (Socket client : clients) {
          client.close();
        }
        peers.forEach(DatagramSocket::close);
      }
    }
  }

  private static void listIsQuick(HttpClient http, Lab lab, String list, int requests)
      throws Exception {
    HttpRequest request = HttpRequest.newBuilder(management(lab, list)).build();
    var times = new ArrayList<Duration>();
    // The first of them find code that was not run yet.
    for (int i = -requests / 2; i < requests; i++) {
      long start = System.nanoTime();
      var answer = http.send(request, BodyHandlers.ofString());
      if (i >= 0) {
        times.add(Duration.ofNanos(System.nanoTime() - start));
      }
      assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
    }
    System.out.printf(
        "%-35s %5.1f ms, 99 of 100 in %5.1f ms%n",
        list, millis(share(times, 0.5)), millis(share(times, 0.99)));
    assertThat(share(times, 0.5)).as(list).isLessThan(ANSWER);
    assertThat(share(times, 0.99)).as(list).isLessThan(SLOW_ANSWER);
  }

  private static void watchersDoNotHoldUp(HttpClient http, Lab lab, Size size) throws Exception {
    var unwatched = new ArrayList<Duration>();
    var watched = new ArrayList<Duration>();
    var busy = new ArrayList<Double>();
    try (Pinger pinger = Pinger.of(lab, "echo")) {
      pinger.p99(size.pings());
      for (int round = 0; round < size.rounds(); round++) {
        unwatched.add(pinger.p99(size.pings()));
        try (var watchers = Watchers.start(http, lab, size.lookers())) {
          long start = System.nanoTime();
          Duration used = lab.gateway().cpuTime();
          watched.add(pinger.p99(size.pings()));
          busy.add(
              (double) lab.gateway().cpuTime().minus(used).toNanos() / (System.nanoTime() - start));
          watchers.assertAllHear();
        }
      }
    }
    ToLongFunction<List<Duration>> middle = times -> share(times, 0.5).toNanos();
    System.out.printf(
        "99 of 100 pings of %d in %.2f ms, with %d watchers in %.2f ms (rounds: %s and %s); the gateway then used %.2f cores and has %d MB%n",
        size.pings(),
        middle.applyAsLong(unwatched) / 1e6,
        Watchers.count(size.lookers()),
        middle.applyAsLong(watched) / 1e6,
        micros(unwatched),
        micros(watched),
        busy.stream().mapToDouble(it -> it).average().orElse(0),
        lab.gateway().residentBytes() / 1_000_000);
    assertThat(share(watched, 0.5)).isLessThan(share(unwatched, 0.5).multipliedBy(2).plus(SLOWER));
  }

  private static String micros(List<Duration> times) {
    return times.stream()
        .map(time -> Long.toString(time.toNanos() / 1_000))
        .collect(Collectors.joining(" ", "", " µs"));
  }

  private static double millis(Duration time) {
    return time.toNanos() / 1e6;
  }

  private static Duration share(List<Duration> times, double share) {
    List<Duration> sorted = times.stream().sorted().toList();
    return sorted.get((int) (sorted.size() * share));
  }

  private static URI management(Lab lab, String list) {
    return URI.create("http://127.0.0.1:" + lab.gatewayManagement() + "/api/v1/" + list);
  }

  /// Watches of every list, and those of as many open dashboards.
  private static final class Watchers implements AutoCloseable {
    /// What an open dashboard watches, but for the view.
    private static final List<String> DASHBOARD = List.of("summary");

    private final List<CompletableFuture<?>> calls = new ArrayList<>();
    private final List<AtomicLong> heard = new ArrayList<>();

    static int count(int lookers) {
      return (LISTS.size() + DASHBOARD.size()) * lookers;
    }

    /// Returns when each of them has begun.
    static Watchers start(HttpClient http, Lab lab, int lookers) {
      var watchers = new Watchers();
      for (int i = 0; i < lookers; i++) {
        LISTS.forEach(list -> watchers.watch(http, lab, list));
        DASHBOARD.forEach(list -> watchers.watch(http, lab, list));
      }
      watchers.assertAllHear();
      return watchers;
    }

    private void watch(HttpClient http, Lab lab, String list) {
      var bytes = new AtomicLong();
      heard.add(bytes);
      calls.add(
          http.sendAsync(
              HttpRequest.newBuilder(
                      management(lab, list + (list.contains("?") ? "&" : "?") + "watch=true"))
                  .build(),
              BodyHandlers.ofByteArrayConsumer(
                  part -> part.ifPresent(it -> bytes.addAndGet(it.length)))));
    }

    /// None has ended, and each was told something.
    void assertAllHear() {
      await()
          .atMost(PATIENCE)
          .untilAsserted(() -> assertThat(heard).allMatch(bytes -> bytes.get() > 0));
      assertThat(calls).noneMatch(CompletableFuture::isDone);
    }

    @Override
    public void close() {
      calls.forEach(call -> call.cancel(true));
    }
  }

  private static DatagramSocket session(Lab lab) throws IOException {
    var peer = new DatagramSocket();
    peer.setSoTimeout((int) PATIENCE.toMillis());
    peer.send(
        new DatagramPacket(new byte[32], 32, InetAddress.getLoopbackAddress(), lab.port("udp")));
    peer.receive(new DatagramPacket(new byte[100], 100));
    return peer;
  }
}
