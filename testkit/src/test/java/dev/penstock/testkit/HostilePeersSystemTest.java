package dev.penstock.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.testkit.EchoService.Behaviour;
import dev.penstock.testkit.RawWebSocket.Frame;
import dev.penstock.testkit.RawWebSocket.Opcode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Whatever a peer sends, with a token or without, it is refused with a reason and counted, and the
/// tunnels of another cluster on the same gateway answer every ping meanwhile.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HostilePeersSystemTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(20);
  private static final long A_GIBIBYTE = 1L << 30;
  private static final int PROTOCOL_ERROR = 1002;
  private static final int TOO_BIG = 1009;
  private static final int SYNS = 100_000;
  private static final int FLOOD = 500;

  @TempDir static Path directory;
  private static Lab lab;
  private static Pinger pinger;
  private int answersBefore;

  @BeforeAll
  static void start() throws IOException {
    lab = Lab.in(directory).expose("echo", EchoService.start(Behaviour.echo())).start();
    pinger = Pinger.of(lab, "echo").start();
  }

  @AfterAll
  static void stop() throws IOException {
    pinger.close();
    lab.close();
  }

  @BeforeEach
  void remember() {
    answersBefore = pinger.answers();
  }

  @AfterEach
  void theHealthyTunnelHasAnsweredAllTheTime() {
    int now = pinger.answers();
    await()
        .atMost(TIMEOUT)
        .untilAsserted(() -> assertThat(pinger.answers()).isGreaterThan(now + 2));
    pinger.assertHealthy();
    assertThat(pinger.answers()).isGreaterThan(answersBefore);
    assertThat(lab.gateway().isReady()).as(lab::report).isTrue();
    assertThat(lab.agent().isReady()).as(lab::report).isTrue();
  }

  @Test
  void aWrongTokenIsRefusedWith401AndCounted() throws IOException {
    Map<String, Double> before = refusals();
    assertThat(statusOf(HostileAgent.CONTROLLER, List.of("Authorization: Bearer wrong")))
        .isEqualTo(401);
    assertThat(statusOf("/ws?cluster_uuid=lab", List.of("Authorization: Bearer wrong")))
        .isEqualTo(401);
    awaitCounted(before);
  }

  @Test
  void aMissingTokenIsRefusedWith401() throws IOException {
    assertThat(statusOf(HostileAgent.CONTROLLER, List.of())).isEqualTo(401);
    assertThat(statusOf("/ws?cluster_uuid=lab", List.of())).isEqualTo(401);
  }

  @Test
  void anUnknownPathIsRefusedWith404() throws IOException {
    assertThat(statusOf("/nothing/here", List.of("Authorization: Bearer " + Lab.OTHER_TOKEN)))
        .isEqualTo(404);
  }

  @Test
  void aPeerThatNeverRegistersIsClosedWithinTenSeconds() throws IOException {
    long start = System.nanoTime();
    try (RawWebSocket socket = controller()) {
      assertThat(socket.awaitClose(Duration.ofSeconds(30))).as(lab::report).isPositive();
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(15));
    }
  }

  @Test
  void aConnectionThatNeverSendsARequestIsClosed() throws IOException {
    try (var socket = new Socket(InetAddress.getLoopbackAddress(), lab.listenPort())) {
      socket.setSoTimeout(60_000);
      assertThat(EchoService.End.of(socket.getInputStream())).isNotNull();
    }
  }

  @Test
  void aMessageAboveTheLimitIsRefusedByItsAnnouncedLength() throws IOException {
    Map<String, Double> before = refusals();
    try (RawWebSocket socket = controller()) {
      socket.announce(Opcode.TEXT, A_GIBIBYTE);
      assertThat(socket.awaitClose(TIMEOUT)).as(lab::report).isEqualTo(TOO_BIG);
    }
    awaitCounted(before);
  }

  @Test
  void garbageAfterTheUpgradeIsRefused() throws IOException {
    try (RawWebSocket socket = controller()) {
      socket.sendRaw("\u007f\u007fnot a frame at all".getBytes(UTF_8));
      assertThat(socket.awaitClose(TIMEOUT)).as(lab::report).isEqualTo(PROTOCOL_ERROR);
    }
  }

  @Test
  void anUnmaskedFrameIsRefused() throws IOException {
    try (RawWebSocket socket = controller()) {
      socket.sendRaw(new byte[] {(byte) 0x81, 2, '{', '}'});
      assertThat(socket.awaitClose(TIMEOUT)).as(lab::report).isEqualTo(PROTOCOL_ERROR);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "this is no JSON",
        "{",
        "[]",
        "5",
        "{\"type\":5}",
        "{\"type\":\"register\",\"payload\":[]}",
        "{\"type\":\"register\",\"payload\":\"text\"}",
        "{\"type\":\"register\",\"request_id\":{},\"payload\":{}}"
      })
  void aMessageThatCannotBeReadIsRefusedWithAReason(String text) throws IOException {
    try (RawWebSocket socket = controller()) {
      socket.sendText(text);
      Frame answer = socket.read(TIMEOUT);
      assertThat(answer).as(lab::report).isNotNull();
      if (answer.opcode() == Opcode.CLOSE) {
        assertThat((int) answer.payload().getShort(0)).isIn(PROTOCOL_ERROR, 1003, 1007, 1008);
        assertThat(answer.payload().remaining()).as("has a reason").isGreaterThan(Short.BYTES);
      } else {
        assertThat(answer.text()).contains("\"error\"");
      }
    }
  }

  @Test
  void deeplyNestedJsonIsRefused() throws IOException {
    try (RawWebSocket socket = controller()) {
      socket.sendText("{\"type\":\"register\",\"payload\":{\"labels\":" + "[".repeat(100_000));
      Frame answer = socket.read(TIMEOUT);
      assertThat(answer).as(lab::report).isNotNull();
    }
  }

  @Test
  void dataForAStreamThatWasNeverOpenedHarmsNobody() throws IOException {
    try (HostileAgent agent = HostileAgent.connect(lab.listenPort(), Lab.OTHER_TOKEN)) {
      for (int stream = 2; stream < 2_000; stream += 2) {
        var frame = new ByteArrayOutputStream();
        frame.writeBytes(HostileAgent.header(HostileAgent.DATA, 0, stream, 5));
        frame.writeBytes("hello".getBytes(UTF_8));
        agent.send(frame.toByteArray());
      }
    } catch (SocketException closed) {
      // Being thrown out for it is right as well.
    }
  }

  @Test
  void aYamuxFrameOfUnknownVersionEndsTheSession() throws IOException {
    try (HostileAgent agent = HostileAgent.connect(lab.listenPort(), Lab.OTHER_TOKEN)) {
      agent.send(new byte[] {9, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0});
      assertThat(agent.awaitRefusal()).isNotNull();
    }
  }

  @Test
  void moreDataThanTheWindowEndsTheSessionAndIsCounted() throws IOException, InterruptedException {
    Map<String, Double> before = refusals();
    try (HostileAgent agent = HostileAgent.connect(lab.listenPort(), Lab.OTHER_TOKEN)) {
      int port = agent.registerTunnel(Lab.OTHER_TOKEN);
      try (var client = new Socket(InetAddress.getLoopbackAddress(), port)) {
        client.setSoTimeout((int) TIMEOUT.toMillis());
        int stream = agent.await(HostileAgent.WINDOW_UPDATE, HostileAgent.SYN).stream();
        agent.send(HostileAgent.header(HostileAgent.WINDOW_UPDATE, HostileAgent.ACK, stream, 0));
        agent.send(HostileAgent.header(HostileAgent.DATA, 0, stream, Integer.MAX_VALUE));
        assertThat(agent.awaitRefusal()).isNotNull();
        assertThat(EchoService.End.of(client.getInputStream())).isNotNull();
      }
    }
    awaitCounted(before);
  }

  @Test
  void aHundredThousandSynsHarmNobody() throws IOException {
    long before = lab.gateway().residentBytes();
    try (HostileAgent agent = HostileAgent.connect(lab.listenPort(), Lab.OTHER_TOKEN)) {
      var batch = new ByteArrayOutputStream();
      for (int i = 0; i < SYNS; i++) {
        batch.writeBytes(
            HostileAgent.header(HostileAgent.WINDOW_UPDATE, HostileAgent.SYN, 1 + 2 * i, 0));
        if (batch.size() > 32_000) {
          agent.send(batch.toByteArray());
          batch.reset();
        }
      }
      agent.send(batch.toByteArray());
    } catch (SocketException closed) {
      // Being thrown out for it is right as well.
    }
    assertThat(lab.gateway().residentBytes() - before).isLessThan(128L << 20);
  }

  @Test
  void aFloodOfRefusedPeersLeavesFewLinesInTheLog() throws IOException {
    int before = lab.gateway().log().size();
    for (int i = 0; i < FLOOD; i++) {
      assertThat(statusOf(HostileAgent.CONTROLLER, List.of("Authorization: Bearer wrong")))
          .isEqualTo(401);
    }
    assertThat(lab.gateway().log().size() - before).as(lab::report).isLessThan(FLOOD / 5);
  }

  private static RawWebSocket controller() throws IOException {
    RawWebSocket socket =
        RawWebSocket.connect(lab.listenPort(), HostileAgent.CONTROLLER, Lab.OTHER_TOKEN);
    assertThat(socket.status()).as(lab::report).isEqualTo(101);
    return socket;
  }

  private static int statusOf(String target, List<String> headers) throws IOException {
    try (var socket = RawWebSocket.connect(lab.listenPort(), target, headers)) {
      return socket.status();
    }
  }

  /// The gateway's counters that carry a reason.
  private static Map<String, Double> refusals() {
    Map<String, Double> series = lab.gateway().metrics();
    series
        .keySet()
        .removeIf(name -> !name.startsWith("penstock_gateway_") || !name.contains("reason=\""));
    return series;
  }

  private static void awaitCounted(Map<String, Double> before) {
    await()
        .atMost(TIMEOUT)
        .untilAsserted(() -> assertThat(refusals()).as(lab::report).isNotEqualTo(before));
  }
}
