package dev.penstock.protocol.json;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.ControlMessage.InTunnel;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.control.TunnelMessage;
import dev.penstock.protocol.control.TunnelMessage.Close;
import dev.penstock.protocol.control.TunnelMessage.Data;
import dev.penstock.protocol.control.TunnelMessage.Direction;
import dev.penstock.protocol.control.TunnelMessage.Mark;
import dev.penstock.protocol.control.TunnelMessage.Start;
import dev.penstock.protocol.control.TunnelMessage.UdpData;
import dev.penstock.protocol.yamux.ByteBudget;
import dev.penstock.protocol.yamux.CloseCause;
import dev.penstock.protocol.yamux.SessionSettings;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// The work-arounds for what the original agent gets wrong in JSON. Times are in milliseconds.
final class OriginalSessionTest {
  private static final StreamHeader HEADER =
      new StreamHeader(Protocol.TCP, 5432, "postgres", "db", "tcp-6f1c-gw-80", null);

  /// Unlike the service's port and what the tunnel id ends with.
  private static final int LISTENER_PORT = 15_432;

  private static final OriginalPacing PACING =
      new OriginalPacing(
          Duration.ofMillis(250),
          Duration.ofMillis(5),
          Duration.ofMillis(5_000),
          Duration.ofMillis(10_000));

  private final List<TunnelFault> faults = new ArrayList<>();
  private final ByteBudget budget = new ByteBudget(16 << 20);
  private final OriginalSession session =
      new OriginalSession(
          "p",
          PACING,
          SessionSettings.defaults(),
          budget,
          new JsonListener() {
            @Override
            public void opened(JsonStream stream, StreamHeader header) {
              throw new AssertionError(stream);
            }

            @Override
            public void faulty(TunnelFault fault) {
              faults.add(fault);
            }
          });
  private Watched client;

  private static final class Watched extends WatchedStream<OriginalStream> {
    byte[] afterConnected() {
      byte[] all = received.toByteArray();
      byte[] connected = DialStatus.connected().encode().array();
      assertThat(all).startsWith(connected);
      return Arrays.copyOfRange(all, connected.length, all.length);
    }

    void write(String text) {
      stream.write(bytes(text));
    }
  }

  private static ByteBuffer bytes(String text) {
    return ByteBuffer.wrap(text.getBytes(UTF_8));
  }

  private static long ms(long millis) {
    return millis * 1_000_000;
  }

  @BeforeEach
  void openAtTimeZero() {
    client = open(HEADER);
    assertThat(at(0)).containsExactly(new Start("p-1", HEADER, LISTENER_PORT, Start.NO_CREDITS));
  }

  @AfterEach
  void nothingIsLeft() {
    session.end();
    assertThat(budget.used()).isZero();
    assertThat(session.streamCount()).isZero();
  }

  private Watched open(StreamHeader header) {
    var watched = new Watched();
    watched.stream = session.open(header, LISTENER_PORT, watched, 0);
    assertThat(watched.stream).isNotNull();
    return watched;
  }

  /// All that is sent at this time.
  private List<TunnelMessage> at(long millis) {
    var all = new ArrayList<TunnelMessage>();
    for (ControlMessage next = session.next(ms(millis));
        next != null;
        next = session.next(ms(millis))) {
      all.add(((InTunnel) next).content());
    }
    return all;
  }

  private void answer(long millis, String text) throws Exception {
    session.onMessage(
        new Data("p-1", Direction.TO_GATEWAY, bytes(text), Data.NO_SEQ, Mark.MORE), ms(millis));
  }

  private void close(long millis, String reason) throws Exception {
    session.onMessage(new Close("p-1", reason, ""), ms(millis));
  }

  @Test
  void firstBytesOfTheClientWaitForTheHold() {
    client.write("hello");
    assertThat(at(249)).isEmpty();
    assertThat(session.dueNanos(ms(249))).isEqualTo(ms(250));
    assertThat(at(250)).containsExactly(Data.plain("p-1", bytes("hello")));
    assertThat(client.afterConnected()).isEmpty();
    assertThat(client.writables).isOne();
  }

  @Test
  void firstBytesOfTheServiceEndTheHold() throws Exception {
    client.write("hello");
    answer(20, "banner");
    assertThat(at(20)).containsExactly(Data.plain("p-1", bytes("hello")));
    assertThat(client.afterConnected()).isEqualTo("banner".getBytes(UTF_8));
  }

  @Test
  void dataIsSpacedWhateverTheServiceAnswers() throws Exception {
    client.stream.write(ByteBuffer.allocate(70_000));
    assertThat(at(250)).hasSize(1);
    assertThat(at(254)).isEmpty();
    assertThat(session.dueNanos(ms(254))).isEqualTo(ms(255));
    assertThat(at(255)).hasSize(1);
    answer(256, "ok");
    assertThat(at(259)).isEmpty();
    assertThat(at(260)).containsExactly(Data.plain("p-1", ByteBuffer.allocate(70_000 - 65_536)));
    client.write("next");
    assertThat(at(264)).isEmpty();
    assertThat(at(265)).hasSize(1);
  }

  @Test
  void aFailedDialIsReportedAsOne() throws Exception {
    session.onMessage(new Close("p-1", "connection_failed", "refused"), ms(3));
    assertThat(client.received.toByteArray())
        .isEqualTo(
            new DialStatus(DialStatus.Code.FAILED, "connection_failed: refused").encode().array());
    assertThat(client.finished).isTrue();
    client.stream.reset();
    close(4, "service_closed");
    assertThat(at(10_000)).isEmpty();
    assertThat(faults).isEmpty();
  }

  @Test
  void aDialThatFailsAfterTheHoldResetsTheStream() throws Exception {
    assertThat(at(300)).isEmpty();
    close(5_000, "connection_failed");
    assertThat(client.closed).isEqualTo(CloseCause.RESET_BY_PEER);
  }

  @Test
  void theServicesEndIsAnEndAndTheClientsFollows() throws Exception {
    answer(20, "bye");
    close(21, "service_closed");
    assertThat(client.finished).isTrue();
    client.stream.consumed(client.stream.unread(), ms(22));
    assertThat(client.closed).isNull();
    client.stream.finish();
    assertThat(client.closed).isEqualTo(CloseCause.FINISHED);
    assertThat(at(10_000)).isEmpty();
  }

  @Test
  void whatTheClientSaysAfterTheServicesEndResetsIt() throws Exception {
    answer(20, "bye");
    close(21, "service_closed");
    client.write("are you there?");
    assertThat(at(22)).isEmpty();
    assertThat(client.closed).isEqualTo(CloseCause.RESET_BY_PEER);
  }

  @Test
  void theClientsEndIsToldOnlyWhenTheServiceHasFallenSilent() throws Exception {
    client.write("question");
    client.stream.finish();
    assertThat(at(250)).hasSize(1);
    answer(4_000, "answer");
    assertThat(at(8_999)).isEmpty();
    assertThat(session.dueNanos(ms(8_999))).isEqualTo(ms(9_000));
    assertThat(at(9_000)).containsExactly(new Close("p-1", "client_closed", ""));
    assertThat(client.finished).isTrue();
    assertThat(client.afterConnected()).isEqualTo("answer".getBytes(UTF_8));
    client.stream.consumed(client.stream.unread(), ms(9_001));
    assertThat(client.closed).isEqualTo(CloseCause.FINISHED);
    close(9_002, "service_closed");
    assertThat(faults).isEmpty();
  }

  @Test
  void aResetDuringTheDialIsToldWhenTheDialMayBeDone() {
    client.stream.reset();
    assertThat(at(1)).isEmpty();
    assertThat(session.dueNanos(ms(1))).isEqualTo(ms(250));
    assertThat(at(250)).containsExactly(new Close("p-1", "reset", ""));
  }

  @Test
  void aClientThatDoesNotReadStopsTheLinkForAWhileAndIsThenReset() throws Exception {
    answer(20, "x".repeat(1_100_000));
    assertThat(session.mayRead()).isFalse();
    assertThat(at(10_019)).isEmpty();
    assertThat(session.mayRead()).isFalse();
    assertThat(at(10_020)).containsExactly(new Close("p-1", "over_budget", ""));
    assertThat(client.closed).isEqualTo(CloseCause.OVER_BUDGET);
    assertThat(session.mayRead()).isTrue();
  }

  @Test
  void aClientThatReadsAgainLetsTheLinkGoOn() throws Exception {
    answer(20, "x".repeat(1_100_000));
    client.stream.consumed(600_000, ms(21));
    assertThat(session.mayRead()).isTrue();
    assertThat(at(20_000)).isEmpty();
    assertThat(client.closed).isNull();
  }

  @Test
  void dataThatCannotBeReadResetsItsStream() throws Exception {
    answer(20, "x");
    session.onMessage(new TunnelMessage.Unreadable("p-1", "payload.data"), ms(21));
    assertThat(client.closed).isEqualTo(CloseCause.PEER_FAULT);
    assertThat(faults).containsExactly(TunnelFault.UNREADABLE);
    assertThat(at(21)).containsExactly(new Close("p-1", "unreadable", ""));
  }

  private static final StreamHeader DNS =
      new StreamHeader(Protocol.UDP, 5353, "dns", "kube", "udp-6f1c-gw-53", null);

  private static UdpData question(int stream, ByteBuffer data) {
    return new UdpData(
        "udp-6f1c-gw-53-p-" + stream, Direction.TO_AGENT, data, "", 0, LISTENER_PORT);
  }

  private void answerTo(int stream, ByteBuffer data, long millis) throws Exception {
    session.onMessage(
        new UdpData("udp-6f1c-gw-53-p-" + stream, Direction.TO_GATEWAY, data, "", 0, 0),
        ms(millis));
  }

  @Test
  void eachClientsDatagramsHaveATunnelIdOfTheirOwn() throws Exception {
    var one = open(DNS);
    var two = open(DNS);
    one.write("q1");
    two.write("q2");
    assertThat(at(1)).containsExactly(question(2, bytes("q1")), question(3, bytes("q2")));
    answerTo(2, bytes("a1"), 2);
    session.onMessage(
        new UdpData("udp-6f1c-gw-53", Direction.TO_GATEWAY, bytes("nobody's"), "", 0, 0), ms(3));
    assertThat(one.text()).isEqualTo("a1");
    assertThat(two.received.size()).isZero();
    assertThat(session.counters().strayFrames).isOne();
  }

  @Test
  void theNextDatagramOfAFlowWaitsForAPauseWhateverIsAnswered() throws Exception {
    var flow = open(DNS);
    var other = open(DNS);
    flow.write("1");
    assertThat(at(1)).containsExactly(question(2, bytes("1")));
    flow.write("2");
    other.write("of another client");
    assertThat(at(2)).containsExactly(question(3, bytes("of another client")));
    assertThat(session.dueNanos(ms(2))).isEqualTo(ms(6));
    assertThat(at(5)).isEmpty();
    assertThat(at(6)).containsExactly(question(2, bytes("2")));
    answerTo(2, bytes("answer"), 7);
    flow.write("3");
    assertThat(at(10)).isEmpty();
    assertThat(at(11)).containsExactly(question(2, bytes("3")));
    assertThat(flow.writables).isEqualTo(3);
  }

  @Test
  void anEmptyDatagramOfTheAgentIsIgnoredAndCounted() throws Exception {
    var flow = open(DNS);
    answerTo(2, bytes(""), 1);
    assertThat(flow.received.size()).isZero();
    assertThat(session.counters().strayFrames).isOne();
    assertThat(faults).isEmpty();
  }

  /// One socket of the agent for each flow, and room for 1000; it forgets them after 5 min.
  @Test
  void thereAreNoMoreFlowsThanTheAgentHasRoomForUntilItForgetsSome() {
    for (int i = 0; i < 1000; i++) {
      open(DNS).stream.reset();
    }
    var refused = new Watched();
    assertThat(session.open(DNS, LISTENER_PORT, refused, ms(359_999))).isNull();
    assertThat(session.open(HEADER, LISTENER_PORT, refused, ms(359_999))).isNotNull();
    assertThat(session.open(DNS, LISTENER_PORT, refused, ms(360_000))).isNotNull();
  }
}
