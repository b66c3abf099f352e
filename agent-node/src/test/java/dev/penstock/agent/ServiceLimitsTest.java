package dev.penstock.agent;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.agent.FakeGateway.FakeLink;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.management.Scrape;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.RoutingMode;
import dev.penstock.protocol.link.StreamEnd;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What the keys of `tunnels.tcp`, `tunnels.routing` and of a service do to real connections.
class ServiceLimitsTest {
  private static final String TUNNEL = "tcp-lab-db-5432";

  @TempDir Path directory;

  private final List<Socket> accepted = new ArrayList<>();
  private FakeGateway gateway;
  private ServerSocket service;
  private Agent agent;

  @BeforeEach
  void start() throws IOException {
    gateway = FakeGateway.start();
    service = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    service.setSoTimeout(10_000);
  }

  @AfterEach
  void end() throws IOException {
    if (agent != null) {
      agent.close();
    }
    gateway.close();
    for (Socket socket : accepted) {
      socket.close();
    }
    service.close();
  }

  /// An agent with one link and the service `db`.
  ///
  /// @param tunnels keys beside `services`
  /// @param ofService keys of the service beside name, port and target
  private FakeLink link(String tunnels, String ofService) throws Exception {
    Path file =
        Files.writeString(
            directory.resolve("agent.yaml"),
            """
            pipeops: {api_url: "http://127.0.0.1:%d", token: s3cret}
            agent: {id: agent-1, links: {count: 1}, event_loops: 1}
            tunnels:
              %s
              services: [{name: db, port: 5432, target: "127.0.0.1:%d"%s}]
            management: {listen: "127.0.0.1:0"}
            """
                .formatted(
                    gateway.port(),
                    tunnels,
                    service.getLocalPort(),
                    ofService.isEmpty() ? "" : ", " + ofService));
    agent =
        Agent.start(AgentSettings.load(file, Map.of()), new Agent.Announcements(_ -> {}, _ -> {}));
    return gateway.nextLink();
  }

  private Socket accept() throws IOException {
    Socket socket = service.accept();
    socket.setSoTimeout(10_000);
    accepted.add(socket);
    return socket;
  }

  private FakeGateway.FakeStream connected(FakeLink link) {
    var stream = link.open(TUNNEL, 5432);
    stream.awaitConnected();
    return stream;
  }

  private String metrics() {
    return Scrape.page(agent.managementAddress().getPort(), "/metrics");
  }

  private static void assertReset(Socket socket) {
    assertThatThrownBy(() -> socket.getInputStream().read())
        .isInstanceOf(SocketException.class)
        .hasMessageContaining("reset");
  }

  @Test
  void connectionNumberNPlusOneIsRefusedWithTheReasonAndServedWhenAPlaceIsFree() throws Exception {
    FakeLink link = link("tcp: {max_connections: 2}", "");
    var first = connected(link);
    connected(link);
    Socket one = accept();
    accept();
    DialStatus refusal = link.open(TUNNEL, 5432).awaitEnd().dial();
    assertThat(refusal.code()).isEqualTo(DialStatus.Code.OVER_LIMIT);
    assertThat(refusal.text())
        .isEqualTo(
            "connections of this agent to db: 2 are open (expected: at most"
                + " tunnels.tcp.max_connections)");
    assertThat(metrics())
        .contains("pipeops_agent_tcp_tunnel_errors_total{error_type=\"over_limit\"} 1.0");
    one.setSoLinger(true, 0);
    one.close();
    first.awaitEnd();
    Patiently.until(() -> link.open(TUNNEL, 5432).isTaken());
  }

  @Test
  void aDialThatFailsGivesItsPlaceBack() throws Exception {
    FakeLink link = link("", "tcp: {max_connections: 1}");
    int port = service.getLocalPort();
    service.close();
    for (int i = 0; i < 3; i++) {
      assertThat(link.open(TUNNEL, 5432).awaitEnd().dial().code())
          .isEqualTo(DialStatus.Code.REFUSED);
    }
    service = new ServerSocket(port, 50, InetAddress.getLoopbackAddress());
    connected(link);
  }

  @Test
  void aConnectionWithoutBytesIsCutOnBothSidesAndCountedAsIdle() throws Exception {
    FakeLink link = link("tcp: {idle_timeout: 1h}", "tcp: {idle_timeout: 300ms}");
    var stream = connected(link);
    Socket socket = accept();
    assertReset(socket);
    assertThat(stream.awaitEnd().cause()).isEqualTo(StreamEnd.Cause.RESET_BY_PEER);
    assertThat(metrics()).contains("penstock_agent_streams_ended_total{reason=\"idle\"} 1.0");
  }

  @Test
  void aHalfClosedConnectionIsCutToo() throws Exception {
    FakeLink link = link("tcp: {idle_timeout: 300ms}", "");
    var stream = connected(link);
    Socket socket = accept();
    socket.shutdownOutput();
    assertReset(socket);
    assertThat(stream.awaitEnd().cause()).isEqualTo(StreamEnd.Cause.RESET_BY_PEER);
  }

  @Test
  void aConnectionThatIsUsedLivesLongerThanItsIdleTimeout() throws Exception {
    FakeLink link = link("tcp: {idle_timeout: 1s}", "");
    var stream = connected(link);
    Socket socket = accept();
    long end = System.nanoTime() + Duration.ofMillis(2500).toNanos();
    int said = 0;
    while (System.nanoTime() < end) {
      socket.getOutputStream().write('x');
      said++;
      stream.awaitHeard("x".repeat(said));
    }
    assertReset(socket);
    assertThat(metrics()).contains("{reason=\"idle\"} 1.0");
  }

  @Test
  void withZeroAConnectionIsNeverIdle() throws Exception {
    FakeLink link = link("tcp: {idle_timeout: 200ms}", "tcp: {idle_timeout: 0s}");
    connected(link);
    Socket socket = accept();
    socket.setSoTimeout(1000);
    assertThatThrownBy(() -> socket.getInputStream().read())
        .isInstanceOf(java.net.SocketTimeoutException.class);
  }

  @ParameterizedTest
  @CsvSource({"tcp: {buffer_size: 2KiB}, ''", "tcp: {buffer_size: 1MiB}, tcp: {buffer_size: 2KiB}"})
  void noPieceOfAServicesBytesIsLargerThanItsBuffer(String ofAll, String ofService)
      throws Exception {
    FakeLink link = link(ofAll, ofService);
    var stream = connected(link);
    accept().getOutputStream().write("x".repeat(100_000).getBytes(US_ASCII));
    stream.awaitHeard("x".repeat(100_000));
    assertThat(stream.largestPiece()).isBetween(1024, 2048);
  }

  @Test
  void aServiceThatDoesNotAnswerInTimeIsGivenUp() throws Exception {
    service.close();
    service = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    var waiting = new ArrayList<Socket>();
    try {
      // The system answers no more connections once the queue of those not accepted is full.
      fillQueue(waiting);
      FakeLink link = link("tcp: {connection_timeout: 10m}", "tcp: {connection_timeout: 250ms}");
      long start = System.nanoTime();
      DialStatus refusal = link.open(TUNNEL, 5432).awaitEnd().dial();
      assertThat(refusal.code()).isEqualTo(DialStatus.Code.TIMED_OUT);
      assertThat(Duration.ofNanos(System.nanoTime() - start))
          .isBetween(Duration.ofMillis(250), Duration.ofSeconds(5));
    } finally {
      for (Socket socket : waiting) {
        socket.close();
      }
    }
  }

  private void fillQueue(List<Socket> waiting) throws IOException {
    try {
      while (waiting.size() < 100) {
        var socket = new Socket();
        waiting.add(socket);
        socket.connect(service.getLocalSocketAddress(), 500);
      }
    } catch (java.net.SocketTimeoutException full) {
      return;
    }
    throw new AssertionError("the queue never was full");
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void theTimesOfKeepAliveAreThoseOfTheService() throws Exception {
    FakeLink link = link("tcp: {keepalive_period: 1h}", "tcp: {keepalive_period: 20s}");
    connected(link);
    Socket socket = accept();
    Patiently.until(() -> keepAliveTimer(socket.getPort()).isPresent());
    assertThat(keepAliveTimer(socket.getPort()).orElseThrow()).isBetween(1L, 20L);
  }

  @ParameterizedTest
  @CsvSource({"tcp: {keepalive: false}, ''", "'', tcp: {keepalive: false}"})
  @EnabledOnOs(OS.LINUX)
  void keepAliveMayBeOff(String ofAll, String ofService) throws Exception {
    FakeLink link = link(ofAll, ofService);
    connected(link);
    Socket socket = accept();
    socket.getOutputStream().write('x');
    Patiently.until(() -> line(socket.getPort()).contains(" 01 "));
    assertThat(keepAliveTimer(socket.getPort())).isEmpty();
  }

  /// Seconds until the kernel's keep-alive timer of our socket with this port fires.
  private static OptionalLong keepAliveTimer(int port) throws IOException {
    // Fields: number, local, remote, state, queues, kind of timer (2: keep-alive) and its ticks.
    String[] timer = line(port).trim().split("\\s+", -1)[5].split(":", -1);
    return timer[0].equals("02")
        ? OptionalLong.of(Long.parseLong(timer[1], 16) / 100)
        : OptionalLong.empty();
  }

  private static String line(int port) throws IOException {
    String local = "0100007F:%04X".formatted(port);
    for (String table : List.of("tcp", "tcp6")) {
      try (var lines = Files.lines(Path.of("/proc/net", table))) {
        var found =
            lines.filter(line -> line.trim().split("\\s+", -1)[1].endsWith(local)).findFirst();
        if (found.isPresent()) {
          return found.get();
        }
      }
    }
    throw new AssertionError("no socket with port " + port);
  }

  @Test
  void aServiceIsRegisteredWithItsModeAndItsPublicEndpoint() throws Exception {
    for (RoutingMode mode : RoutingMode.values()) {
      link(
          "routing: {force_tunnel_mode: false}",
          "public_endpoint: \"db.example.com:5432\", routing_mode: "
              + mode.name().toLowerCase(Locale.ROOT));
      var asked = gateway.nextAsked().registration();
      assertThat(asked.routingMode()).isEqualTo(mode);
      assertThat(asked.publicEndpoint()).isEqualTo("db.example.com:5432");
      agent.close();
    }
    link("", "public_endpoint: \"db.example.com:5432\"");
    assertThat(gateway.nextAsked().registration().routingMode()).isEqualTo(RoutingMode.TUNNEL);
  }
}
