package dev.penstock.protocol.json;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.control.ControlCodec;
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
import dev.penstock.protocol.json.JsonSession.DialAnswers;
import dev.penstock.protocol.json.JsonSession.Side;
import dev.penstock.protocol.yamux.ByteBudget;
import dev.penstock.protocol.yamux.CloseCause;
import dev.penstock.protocol.yamux.ProtocolViolation;
import dev.penstock.protocol.yamux.SessionSettings;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// A peer that breaks the rules loses the stream that it breaks them on, and nothing else.
final class JsonHostilePeerTest {
  private static final StreamHeader HEADER =
      new StreamHeader(Protocol.TCP, 5432, "postgres", "default", "tunnel-1", null);
  private static final SessionSettings SETTINGS =
      new SessionSettings(256 * 1024, 32 * 1024, 1, 4, 4, 16);

  private final List<TunnelFault> faults = new ArrayList<>();
  private final List<Watched> accepted = new ArrayList<>();
  private final ByteBudget budget = new ByteBudget(1L << 30);
  private final JsonListener owner =
      new JsonListener() {
        @Override
        public void opened(JsonStream stream, StreamHeader header) {
          var watched = new Watched();
          watched.stream = stream;
          accepted.add(watched);
          stream.listen(watched);
        }

        @Override
        public void faulty(TunnelFault fault) {
          faults.add(fault);
        }
      };

  private static final class Watched extends WatchedStream<JsonStream> {}

  private JsonSession session(Side side, DialAnswers answers) {
    return new JsonSession(side, answers, SETTINGS, budget, owner);
  }

  private static Watched open(JsonSession gateway) {
    var watched = new Watched();
    watched.stream = gateway.open(HEADER, watched);
    assertThat(watched.stream).isNotNull();
    return watched;
  }

  private static Data data(String id, long seq, String text) {
    return data(id, seq, text, Mark.MORE);
  }

  private static Data data(String id, long seq, String text, Mark mark) {
    return new Data(id, Direction.TO_GATEWAY, ByteBuffer.wrap(text.getBytes(UTF_8)), seq, mark);
  }

  private static List<ControlMessage> drain(JsonSession session) {
    var all = new ArrayList<ControlMessage>();
    for (ControlMessage next = session.next(); next != null; next = session.next()) {
      all.add(next);
    }
    return all;
  }

  static Stream<Arguments> faultsOfOneStream() {
    String window = "x".repeat(256 * 1024);
    return Stream.of(
        Arguments.of("a gap", List.of(data("1", 1, "a")), TunnelFault.SEQUENCE),
        Arguments.of(
            "a repetition", List.of(data("1", 0, "a"), data("1", 0, "a")), TunnelFault.SEQUENCE),
        Arguments.of("no number", List.of(data("1", Data.NO_SEQ, "a")), TunnelFault.SEQUENCE),
        Arguments.of(
            "more than credited",
            List.of(data("1", 0, window), data("1", 1, "x")),
            TunnelFault.CREDIT),
        Arguments.of("one large overrun", List.of(data("1", 0, window + "x")), TunnelFault.CREDIT),
        Arguments.of(
            "data after the end",
            List.of(data("1", 0, "a", Mark.FIN), data("1", 1, "b")),
            TunnelFault.AFTER_FIN),
        Arguments.of(
            "a second end",
            List.of(data("1", 0, "", Mark.FIN), data("1", 1, "", Mark.FIN)),
            TunnelFault.AFTER_FIN),
        Arguments.of(
            "credit beyond all bounds",
            List.of(
                new TunnelMessage.Credit("1", 1 << 30),
                new TunnelMessage.Credit("1", 1 << 30),
                new TunnelMessage.Credit("1", 1 << 30),
                new TunnelMessage.Credit("1", 1 << 30)),
            TunnelFault.CREDIT),
        Arguments.of(
            "an answer to no dial",
            List.of(new TunnelMessage.Dial("1", DialStatus.connected())),
            TunnelFault.DIAL),
        Arguments.of(
            "what cannot be read",
            List.of(new TunnelMessage.Unreadable("1", "payload.data: \"*\"")),
            TunnelFault.UNREADABLE));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("faultsOfOneStream")
  void aFaultResetsItsStreamWithTheReasonAndNoOther(
      String name, List<TunnelMessage> messages, TunnelFault fault) throws Exception {
    var gateway = session(Side.GATEWAY, DialAnswers.NONE);
    var victim = open(gateway);
    var other = open(gateway);
    drain(gateway);
    for (TunnelMessage message : messages) {
      gateway.onMessage(message, 0);
    }
    assertThat(victim.closed).as(name).isEqualTo(CloseCause.PEER_FAULT);
    assertThat(faults).containsExactly(fault);
    assertThat(drain(gateway)).containsExactly(new InTunnel(new Close("1", fault.reason(), "")));
    gateway.onMessage(data("2", 0, "fine"), 0);
    assertThat(other.text()).isEqualTo("fine");
    assertThat(other.closed).isNull();
    gateway.end();
    assertThat(budget.used()).isZero();
  }

  @Test
  void dataBeforeTheAnswerToTheDialIsAFault() throws Exception {
    var gateway = session(Side.GATEWAY, DialAnswers.GIVEN);
    var stream = open(gateway);
    gateway.onMessage(data("1", 0, "too early"), 0);
    assertThat(stream.closed).isEqualTo(CloseCause.PEER_FAULT);
    assertThat(faults).containsExactly(TunnelFault.DIAL);
  }

  @Test
  void aSecondAnswerToTheDialIsAFault() throws Exception {
    var gateway = session(Side.GATEWAY, DialAnswers.GIVEN);
    var stream = open(gateway);
    gateway.onMessage(new TunnelMessage.Dial("1", DialStatus.connected()), 0);
    assertThat(stream.closed).isNull();
    gateway.onMessage(new TunnelMessage.Dial("1", DialStatus.connected()), 0);
    assertThat(stream.closed).isEqualTo(CloseCause.PEER_FAULT);
  }

  @Test
  void messagesOfUnknownStreamsAreCountedAndNotAnswered() throws Exception {
    var gateway = session(Side.GATEWAY, DialAnswers.NONE);
    gateway.onMessage(data("9", 0, "late"), 0);
    gateway.onMessage(new Close("9", "service_closed", ""), 0);
    gateway.onMessage(new TunnelMessage.Credit("9", 5), 0);
    gateway.onMessage(new TunnelMessage.Unreadable("", "payload.data"), 0);
    assertThat(gateway.counters().strayFrames).isEqualTo(4);
    assertThat(faults).containsExactly(TunnelFault.UNREADABLE);
    assertThat(gateway.hasOutput()).isFalse();
  }

  @Test
  void anAgentMayNotOpenStreams() throws Exception {
    var gateway = session(Side.GATEWAY, DialAnswers.NONE);
    gateway.onMessage(new TunnelMessage.Start("9", HEADER, 0, 1), 0);
    assertThat(drain(gateway)).containsExactly(new InTunnel(new Close("9", "foreign_stream", "")));
    assertThat(session(Side.AGENT, DialAnswers.NONE).open(HEADER, new Watched())).isNull();
  }

  @Test
  void aNameThatIsInUseCostsTheStreamThatHasIt() throws Exception {
    var agent = session(Side.AGENT, DialAnswers.NONE);
    agent.onMessage(new TunnelMessage.Start("a", HEADER, 0, 1), 0);
    agent.onMessage(new TunnelMessage.Start("a", HEADER, 0, 1), 0);
    assertThat(accepted).hasSize(1);
    assertThat(accepted.getFirst().closed).isEqualTo(CloseCause.PEER_FAULT);
    assertThat(faults).containsExactly(TunnelFault.DUPLICATE_ID);
  }

  @Test
  void aFloodOfStreamsIsRefusedAndThenEndsTheSession() throws Exception {
    var agent = session(Side.AGENT, DialAnswers.NONE);
    for (int i = 0; i < 4; i++) {
      agent.onMessage(new TunnelMessage.Start("s" + i, HEADER, 0, 1), 0);
    }
    for (int i = 4; i < 20; i++) {
      agent.onMessage(new TunnelMessage.Start("s" + i, HEADER, 0, 1), 0);
    }
    assertThat(accepted).hasSize(4);
    assertThat(agent.counters().refusedOpens).isEqualTo(16);
    assertThatThrownBy(() -> agent.onMessage(new TunnelMessage.Start("x", HEADER, 0, 1), 0))
        .isInstanceOf(ProtocolViolation.class)
        .hasMessage("messages waiting: 16 (expected: fewer than 16)");
  }

  @Test
  void aStartWithoutCreditsIsRefusedBetweenOurEnds() throws Exception {
    var agent = session(Side.AGENT, DialAnswers.NONE);
    agent.onMessage(new TunnelMessage.Start("s", HEADER, 0, 0), 0);
    assertThat(drain(agent)).containsExactly(new InTunnel(new Close("s", "credit", "")));
  }

  @Test
  void ourOwnStreamsAreBoundedToo() {
    var gateway = session(Side.GATEWAY, DialAnswers.NONE);
    for (int i = 0; i < 4; i++) {
      open(gateway);
    }
    assertThat(gateway.open(HEADER, new Watched())).isNull();
  }

  @Test
  void aPeerThatGivesNoCreditIsSentNoMoreThanItsWindow() throws Exception {
    var agent = session(Side.AGENT, DialAnswers.NONE);
    agent.onMessage(new TunnelMessage.Start("s", HEADER, 0, 10), 0);
    var stream = accepted.getFirst();
    stream.stream.write(ByteBuffer.wrap("0123456789abcdef".getBytes(UTF_8)));
    assertThat(drain(agent)).containsExactly(new InTunnel(data("s", 0, "0123456789")));
    assertThat(stream.writables).isZero();
    assertThat(agent.hasOutput()).isFalse();
    agent.onMessage(new TunnelMessage.Credit("s", 100), 0);
    assertThat(drain(agent)).containsExactly(new InTunnel(data("s", 1, "abcdef")));
    assertThat(stream.writables).isOne();
  }

  @Test
  void streamsTakeTurns() throws Exception {
    var agent = session(Side.AGENT, DialAnswers.NONE);
    for (String id : List.of("a", "b")) {
      agent.onMessage(new TunnelMessage.Start(id, HEADER, 0, 1 << 20), 0);
      accepted.getLast().stream.write(ByteBuffer.allocate(3 * 32 * 1024));
    }
    assertThat(drain(agent).stream().map(message -> ((InTunnel) message).content().requestId()))
        .containsExactly("a", "b", "a", "b", "a", "b");
  }

  @Test
  void creditOfManySmallReadsTravelsTogether() throws Exception {
    var gateway = session(Side.GATEWAY, DialAnswers.NONE);
    var stream = open(gateway);
    drain(gateway);
    gateway.onMessage(data("1", 0, "x".repeat(256 * 1024)), 0);
    for (int i = 0; i < 256; i++) {
      stream.stream.consumed(1024, 0);
    }
    assertThat(drain(gateway)).containsExactly(new InTunnel(new TunnelMessage.Credit("1", 262144)));
  }

  @Test
  void aReaderBeyondTheBudgetLosesItsStreamOnly() throws Exception {
    var small =
        new JsonSession(Side.GATEWAY, DialAnswers.NONE, SETTINGS, new ByteBudget(100_000), owner);
    var slow = open(small);
    var other = open(small);
    drain(small);
    small.onMessage(data("1", 0, "x".repeat(100_000)), 0);
    small.onMessage(data("1", 1, "x"), 0);
    assertThat(slow.closed).isEqualTo(CloseCause.OVER_BUDGET);
    assertThat(drain(small)).containsExactly(new InTunnel(new Close("1", "over_budget", "")));
    small.onMessage(data("2", 0, "fine"), 0);
    assertThat(other.text()).isEqualTo("fine");
  }

  @Test
  void halfAStreamGoesOnAfterTheOtherHalfEnded() throws Exception {
    var gateway = session(Side.GATEWAY, DialAnswers.NONE);
    var stream = open(gateway);
    stream.stream.write(ByteBuffer.wrap("question".getBytes(UTF_8)));
    stream.stream.finish();
    assertThat(drain(gateway).getLast())
        .isEqualTo(
            new InTunnel(
                new Data(
                    "1",
                    Direction.TO_AGENT,
                    ByteBuffer.wrap("question".getBytes(UTF_8)),
                    0,
                    Mark.FIN)));
    gateway.onMessage(data("1", 0, "answer"), 0);
    gateway.onMessage(data("1", 1, "", Mark.FIN), 0);
    assertThat(stream.text()).isEqualTo("answer");
    assertThat(stream.finished).isTrue();
    assertThat(stream.closed).isNull();
    stream.stream.consumed(6, 0);
    assertThat(stream.closed).isEqualTo(CloseCause.FINISHED);
    assertThat(gateway.hasOutput()).isFalse();
  }

  @Test
  void anAnswerToADialTravelsInFields() throws Exception {
    var agent = session(Side.AGENT, DialAnswers.GIVEN);
    agent.onMessage(new TunnelMessage.Start("s", HEADER, 0, 1 << 20), 0);
    var status = new DialStatus(DialStatus.Code.REFUSED, "no one there");
    accepted.getFirst().stream.write(status.encode());
    accepted.getFirst().stream.finish();
    var out = drain(agent);
    assertThat(out.getFirst()).isEqualTo(new InTunnel(new TunnelMessage.Dial("s", status)));
    assertThat(new ControlCodec().encode(out.getFirst()))
        .isEqualTo(
            "{\"type\":\"tcp_tunnel_dial\",\"request_id\":\"s\","
                + "\"payload\":{\"status\":\"refused\",\"error\":\"no one there\"}}");

    var gateway = session(Side.GATEWAY, DialAnswers.GIVEN);
    var stream = open(gateway);
    gateway.onMessage(new TunnelMessage.Dial("1", status), 0);
    assertThat(stream.stream.unread()).isEqualTo(status.encode().remaining());
  }
}
