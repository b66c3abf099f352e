package dev.penstock.testkit.original;

import static dev.penstock.testkit.original.OriginalLab.until;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.testkit.EchoService.Behaviour;
import dev.penstock.testkit.EchoService.End;
import dev.penstock.testkit.Payload;
import dev.penstock.testkit.Ports;
import dev.penstock.testkit.original.OriginalAgent.State;
import dev.penstock.testkit.original.OriginalSettings.Trait;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The original agent works unchanged with this gateway.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class OriginalAgentTest {
  private static final String SUSPECTED =
      "penstock_gateway_dials_failed_total{reason=\"suspected\"}";
  private static final String REFUSED =
      "penstock_gateway_clients_refused_total{reason=\"dial_failed\"}";
  private static final String FALLBACKS = "penstock_gateway_hello_fallbacks_total";

  @TempDir Path directory;
  private OriginalLab lab;

  @BeforeEach
  void start() throws IOException {
    lab = OriginalLab.in(directory).start();
  }

  @AfterEach
  void end() throws Exception {
    lab.close();
  }

  private OriginalSettings echoing() {
    return lab.agent().withService("echo.default", lab.service(Behaviour.echo()));
  }

  private static void roundTrip(Socket client) throws IOException {
    client.getOutputStream().write('?');
    assertThat(client.getInputStream().read()).isEqualTo('?');
  }

  /// How a new client's connection ends; the reset may come as early as during the connect.
  private End endOfClient(int port) throws IOException {
    try (Socket client = lab.client(port)) {
      return End.of(client.getInputStream());
    } catch (ConnectException notListening) {
      throw notListening;
    } catch (SocketException reset) {
      return new End(End.How.RESET, System.nanoTime());
    }
  }

  private static CompletableFuture<Void> writing(Socket client, Payload payload) {
    return CompletableFuture.runAsync(
        () -> {
          try {
            payload.write(client.getOutputStream());
            client.shutdownOutput();
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        },
        task -> Thread.ofVirtual().start(task));
  }

  @Test
  void itRegistersMovesToTheGatewaySocketAndIsAnswered() {
    var agent = lab.link(lab.agent().withHeartbeat(Duration.ofMillis(50)));
    assertThat(agent.clusterId()).isEqualTo("lab");
    assertThat(agent.isOnGateway()).isTrue();
    assertThat(agent.hasSession()).isTrue();
    until(() -> agent.received("heartbeat_ack") >= 3);
    assertThat(agent.state()).isEqualTo(State.CONNECTED);
    assertThat(agent.connections()).isEqualTo(2);
    assertThat(agent.dropped()).isZero();
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 100_000, 10_000_000})
  void bytesComeBackUnchangedAndBothEndsFinish(long length) throws Exception {
    var agent = lab.link(echoing());
    var payload = new Payload(7, length);
    Socket client = lab.client(lab.expose("echo"));
    var written = writing(client, payload);
    assertThat(Payload.Digest.toEnd(client.getInputStream())).isEqualTo(payload.digest());
    written.get(10, TimeUnit.SECONDS);
    until(() -> agent.openStreams() == 0);
    assertThat(agent.sessionDeath()).isEmpty();
    assertThat(lab.metric("penstock_gateway_streams_ended_total{reason=\"finished\"}"))
        .isEqualTo(1);
    assertThat(lab.metric(SUSPECTED)).isZero();
  }

  @Test
  void theClientMayFinishFirst() throws Exception {
    lab.link(lab.agent().withService("sink.default", lab.service(Behaviour.digest())));
    var payload = new Payload(8, 300_000);
    Socket client = lab.client(lab.expose("sink"));
    assertThat(payload.digestedBy(client)).isEqualTo(payload.digest());
    assertThat(client.getInputStream().read()).isEqualTo(-1);
  }

  @Test
  void theServiceMayFinishFirst() throws Exception {
    var report = new CompletableFuture<Payload.Digest>();
    var sent = new Payload(9, 300_000);
    lab.link(
        lab.agent()
            .withService(
                "source.default", lab.service(Behaviour.sendThenReport(sent, report::complete))));
    Socket client = lab.client(lab.expose("source"));
    assertThat(Payload.Digest.toEnd(client.getInputStream())).isEqualTo(sent.digest());
    var answer = new Payload(10, 400_000);
    answer.write(client.getOutputStream());
    client.shutdownOutput();
    assertThat(report.get(10, TimeUnit.SECONDS)).isEqualTo(answer.digest());
  }

  /// The agent tells of it by the end of its direction and nothing else.
  @Test
  void aClientWhoseServiceWasResetIsNotLeftHalfClosedForLong() throws Exception {
    lab.close();
    lab = OriginalLab.in(directory).links("original_half_closed: 500ms").start();
    var reset = new Semaphore(0);
    lab.link(lab.agent().withService("flaky.default", lab.service(Behaviour.resetOn(reset))));
    int port = lab.expose("flaky");
    try (Socket client = lab.client(port)) {
      roundTrip(client);
      reset.release();
      assertThat(client.getInputStream().read()).isEqualTo(-1);
      until(() -> lab.metric("penstock_gateway_streams_ended_total{reason=\"half_closed\"}") == 1);
    }
  }

  @Test
  void aClientThatGoesOnSpeakingAfterTheServicesEndIsLeftAlone() throws Exception {
    lab.close();
    lab = OriginalLab.in(directory).links("original_half_closed: 500ms").start();
    var heard = new LinkedBlockingQueue<Payload.Digest>();
    var said = new Payload(7, 1_000);
    lab.link(
        lab.agent()
            .withService("first.default", lab.service(Behaviour.sendThenReport(said, heard::add))));
    int port = lab.expose("first");
    try (Socket client = lab.client(port)) {
      client.getOutputStream().write('1');
      client.getInputStream().readAllBytes();
      for (int i = 0; i < 10; i++) {
        // Each one within the limit, all together well beyond it.
        await().pollDelay(Duration.ofMillis(150)).until(() -> true);
        client.getOutputStream().write('2');
      }
      client.shutdownOutput();
      assertThat(heard.poll(20, TimeUnit.SECONDS)).isNotNull();
    }
    assertThat(lab.metric("penstock_gateway_streams_ended_total{reason=\"half_closed\"}")).isZero();
  }

  @Test
  void manyClientsThatEndInAllWaysLeaveTheSessionAlive() throws Exception {
    var agent = lab.link(echoing());
    int port = lab.expose("echo");
    for (int i = 0; i < 100; i++) {
      try (Socket client = lab.client(port)) {
        roundTrip(client);
        switch (i % 3) {
          case 0 -> client.shutdownOutput();
          case 1 -> client.setSoLinger(true, 0);
          default -> {}
        }
      }
    }
    until(() -> agent.openStreams() == 0);
    assertThat(agent.sessionDeath()).isEmpty();
    assertThat(lab.echoes(port)).isTrue();
    assertThat(agent.connections()).isEqualTo(2);
  }

  @Test
  void aNameThatDoesNotResolveResetsTheClientSoon() throws Exception {
    var agent = lab.link(lab.agent());
    int port = lab.expose("nowhere");
    long start = System.nanoTime();
    End end = endOfClient(port);
    assertThat(end.how()).isEqualTo(End.How.RESET);
    assertThat(Duration.ofNanos(end.nanos() - start)).isLessThan(Duration.ofSeconds(1));
    until(() -> lab.metric(REFUSED) == 1);
    assertThat(lab.metric(SUSPECTED)).isEqualTo(1);
    until(() -> agent.openStreams() == 0);
    assertThat(agent.sessionDeath()).isEmpty();
  }

  @Test
  void aRefusingServiceResetsTheClientToo() throws Exception {
    lab.link(
        lab.agent()
            .withService(
                "closed.default",
                new InetSocketAddress(InetAddress.getLoopbackAddress(), Ports.free())));
    assertThat(endOfClient(lab.expose("closed")).how()).isEqualTo(End.How.RESET);
    until(() -> lab.metric(REFUSED) == 1);
  }

  @Test
  void aSecondAgentServesWhatTheFirstCannotReach() throws Exception {
    var good = lab.link(echoing());
    int port = lab.expose("echo");
    Socket busy = lab.client(port);
    roundTrip(busy);
    lab.link(lab.agent().withAgentId("agent-without-the-service"));
    Socket client = lab.client(port);
    until(() -> good.openStreams() == 2);
    roundTrip(client);
    assertThat(lab.metric(SUSPECTED)).isEqualTo(1);
    assertThat(lab.metric(REFUSED)).isZero();
  }

  @Test
  void whileItIsDeafAfterAReconnectNobodyHangsUpOnIt() throws Exception {
    reconnectsWithOpenStreams(Duration.ofSeconds(8));
    assertThat(lab.metric(FALLBACKS)).isZero();
  }

  @Tag("long")
  @Test
  void noLongerThanTheOriginalIsDeafEither() throws Exception {
    reconnectsWithOpenStreams(Duration.ofSeconds(30));
    assertThat(lab.metric(FALLBACKS)).isZero();
  }

  private void reconnectsWithOpenStreams(Duration deafness) throws Exception {
    var agent = lab.link(echoing().withDeafness(deafness));
    int port = lab.expose("echo");
    Socket client = lab.client(port);
    roundTrip(client);
    long start = System.nanoTime();
    agent.cut();
    assertThat(End.of(client.getInputStream()).how()).isEqualTo(End.How.RESET);
    await()
        .atMost(deafness.plusSeconds(15))
        .until(() -> agent.received("gateway_hello") == 2 && agent.hasSession());
    assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThan(deafness);
    until(() -> lab.echoes(port));
    assertThat(agent.connections()).isEqualTo(3);
    assertThat(agent.state()).isEqualTo(State.CONNECTED);
  }

  @Test
  void twoAgentsOfOneIdentityLiveSideBySide() throws Exception {
    var one = lab.link(echoing());
    var two = lab.link(echoing());
    int port = lab.expose("echo");
    await()
        .during(Duration.ofSeconds(6))
        .atMost(Duration.ofSeconds(8))
        .until(() -> lab.echoes(port) && one.connections() + two.connections() == 4);
    assertThat(lab.metric("penstock_gateway_links")).isEqualTo(2);
    assertThat(lab.metric("penstock_gateway_sockets_opened_total{socket=\"gateway\"}"))
        .isEqualTo(2);
  }

  @Test
  void aSocketThatTheAgentLeftBehindStartsNoLoopOfReconnects() throws Exception {
    var agent = lab.link(echoing());
    int port = lab.expose("echo");
    agent.failPing();
    until(() -> agent.connections() == 3 && agent.hasSession());
    await()
        .during(Duration.ofSeconds(3))
        .atMost(Duration.ofSeconds(5))
        .until(() -> agent.connections() == 3);
    until(() -> lab.echoes(port));
  }

  @Test
  void aStormIsAnsweredSoThatItCalmsDown() throws Exception {
    lab.close();
    lab = OriginalLab.in(directory).links("max_handshakes_per_minute: 4, max_links_per_cluster: 4");
    lab.start();
    var agent = lab.link(lab.agent().withFirstBackoff(Duration.ofMillis(50)));
    until(() -> {
      agent.cut();
      return agent.refusals() >= 3;
    });
    assertThat(agent.state()).isEqualTo(State.RECONNECTING);
    assertThat(agent.connections()).isLessThanOrEqualTo(6);
    assertThat(rejected("too_many_handshakes") + rejected("too_many_links"))
        .isGreaterThanOrEqualTo(3);
    await()
        .atMost(Duration.ofSeconds(60))
        .until(() -> agent.state() == State.CONNECTED && agent.hasSession());
  }

  private double rejected(String reason) {
    return lab.metric("penstock_gateway_rejected_total{reason=\"" + reason + "\"}");
  }

  @Test
  void itComesBackAfterTheGatewaysRestartAndItsPortServesAgain() throws Exception {
    var agent = lab.link(echoing());
    int port = lab.expose("echo");
    lab.stopGateway();
    until(() -> agent.state() == State.RECONNECTING);
    lab.start();
    until(() -> agent.state() == State.CONNECTED && agent.hasSession());
    until(() -> lab.echoes(port));
  }

  @Test
  void anAgentThatNeverAcknowledgesKeepsItsSocketAndIsSentNothingBinary() throws Exception {
    var agent =
        lab.start(lab.agent().with(Trait.NEVER_ACKNOWLEDGES).withHeartbeat(Duration.ofMillis(200)));
    int port = lab.expose("echo");
    until(() -> lab.metric(FALLBACKS) == 1);
    assertThat(endOfClient(port).how()).isEqualTo(End.How.RESET);
    assertThat(lab.metric("penstock_gateway_clients_refused_total{reason=\"no_link\"}"))
        .isEqualTo(1);
    int acks = agent.received("heartbeat_ack");
    until(() -> agent.received("heartbeat_ack") > acks);
    assertThat(agent.connections()).isEqualTo(2);
    assertThat(agent.dropped()).isZero();
    assertThat(lab.metric("penstock_gateway_links")).isZero();
  }

  @Test
  void anAgentThatStaysOnTheControllerIsKeptEvenWhenItComesBackWithoutRegistering()
      throws Exception {
    lab.close();
    lab = OriginalLab.in(directory).links("register_timeout: 1s").start();
    var agent =
        lab.start(
            lab.agent().with(Trait.STAYS_ON_CONTROLLER).withHeartbeat(Duration.ofMillis(200)));
    until(() -> agent.received("heartbeat_ack") > 2);
    agent.cut();
    until(() -> agent.connections() == 2);
    int acks = agent.received("heartbeat_ack");
    until(() -> agent.received("heartbeat_ack") > acks + 8);
    assertThat(agent.connections()).isEqualTo(2);
    assertThat(agent.received("register_success")).isEqualTo(1);
    assertThat(agent.dropped()).isZero();
  }

  @Test
  void messagesThatMeanNothingHereAreIgnored() throws Exception {
    var agent = lab.link(echoing().withHeartbeat(Duration.ofMillis(50)));
    int port = lab.expose("echo");
    for (String type :
        List.of(
            "tcp_tunnel_close",
            "proxy_error",
            "proxy_response_end",
            "proxy_response_abort",
            "backpressure",
            "bogus")) {
      agent.send(type, "c-81", Map.of("reason", "service_closed"));
    }
    agent.send("protocol_fallback", "", OriginalMessages.fallback("bogus", "r2"));
    agent.sendText("{\"type\":\"heartbeat\",\"payload\":null,\"timestamp\":1795229101}\n");
    agent.sendText("{\"type\":\"heartbeat\",\"timestamp\":\"\"}\n");
    int acks = agent.received("heartbeat_ack");
    until(() -> agent.received("heartbeat_ack") > acks + 3);
    assertThat(lab.echoes(port)).isTrue();
    assertThat(agent.connections()).isEqualTo(2);
  }

  @Test
  void aMessageOfSeveralMebibytesInManyFragmentsIsTaken() throws Exception {
    var agent = lab.link(echoing().withHeartbeat(Duration.ofMillis(50)));
    int port = lab.expose("echo");
    agent.send("proxy_response", "r1", Map.of("status", 200, "body", "eA==".repeat(900_000)));
    int acks = agent.received("heartbeat_ack");
    until(() -> agent.received("heartbeat_ack") > acks + 3);
    assertThat(lab.echoes(port)).isTrue();
    assertThat(agent.connections()).isEqualTo(2);
  }

  @Test
  void aDeadSessionBesideALivingSocketIsReplaced() throws Exception {
    lab.close();
    lab = OriginalLab.in(directory).links("keepalive_interval: 1s, keepalive_timeout: 1s").start();
    var agent = lab.link(echoing());
    int port = lab.expose("echo");
    agent.loseSession();
    until(agent::hasSession);
    until(() -> lab.echoes(port));
    assertThat(agent.connections()).isEqualTo(3);
    assertThat(lab.metric("penstock_gateway_links_ended_total{reason=\"keepalive_timeout\"}"))
        .isEqualTo(1);
  }

  @Test
  void manyStreamsShareTheLinkAtOnce() throws Exception {
    var agent = lab.link(echoing());
    int port = lab.expose("echo");
    var clients = new ArrayList<Socket>();
    for (int i = 0; i < 300; i++) {
      Socket client = lab.client(port);
      client.getOutputStream().write('?');
      clients.add(client);
    }
    for (Socket client : clients) {
      assertThat(client.getInputStream().read()).isEqualTo('?');
    }
    assertThat(agent.openStreams()).isEqualTo(300);
    assertThat(agent.sessionDeath()).isEmpty();
  }
}
