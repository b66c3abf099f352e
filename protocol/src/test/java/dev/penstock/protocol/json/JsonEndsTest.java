package dev.penstock.protocol.json;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.Seeds;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.yamux.ByteBudget;
import dev.penstock.protocol.yamux.CloseCause;
import dev.penstock.protocol.yamux.MuxStream;
import dev.penstock.protocol.yamux.SessionSettings;
import dev.penstock.protocol.yamux.StreamListener;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Two sessions of JSON messages under a seed: random writes, ends, resets, slow readers.
final class JsonEndsTest {
  private static final int STEPS = 200_000;

  private final List<Party> parties = new ArrayList<>();
  private final Map<Integer, Party> openers = new HashMap<>();

  static LongStream seeds() {
    return Seeds.many();
  }

  private static SessionSettings settings(RandomGenerator random) {
    return new SessionSettings(
        (256 * 1024) << random.nextInt(3), 1024 << random.nextInt(6), 1, 1000, 1000, 10_000);
  }

  private static StreamHeader header(int number) {
    return new StreamHeader(Protocol.TCP, 1 + number, "s", "n", "t" + number, null);
  }

  /// One end of one stream: sends a known sequence and checks the other's.
  private final class Party implements StreamListener {
    final RandomGenerator random;
    final boolean mayReset;
    final byte[] toSend;
    @Nullable Party other;
    @Nullable MuxStream stream;
    int sent;
    int received;
    boolean writing;
    boolean finished;
    boolean peerFinished;
    @Nullable CloseCause closed;

    Party(RandomGenerator random, boolean mayReset, @Nullable DialStatus first) {
      this.random = random;
      this.mayReset = mayReset;
      int total = random.nextInt(1 << random.nextInt(1, 21));
      byte[] head = first == null ? new byte[0] : first.encode().array();
      toSend = new byte[head.length + total];
      random.nextBytes(toSend);
      System.arraycopy(head, 0, toSend, 0, head.length);
      parties.add(this);
    }

    void act(long now) {
      if (closed != null || stream == null) {
        return;
      }
      if (mayReset && random.nextInt(400) == 0) {
        stream.reset();
        assertThat(closed).isEqualTo(CloseCause.RESET_LOCALLY);
        return;
      }
      if (!writing && random.nextInt(3) > 0) {
        writeOn();
      }
      if (closed == null && random.nextInt(3) == 0) {
        int most = random.nextInt(8) == 0 ? 100 : stream.unread();
        stream.consumed(random.nextInt(Math.min(most, stream.unread()) + 1), now);
      }
    }

    private void writeOn() {
      if (sent == toSend.length) {
        finished = true;
        stream.finish();
        return;
      }
      int length = Math.min(toSend.length - sent, 1 + random.nextInt(1 << random.nextInt(18)));
      writing = true;
      stream.write(ByteBuffer.wrap(toSend, sent, length));
      sent += length;
      if (sent == toSend.length && random.nextBoolean()) {
        finished = true;
        stream.finish();
      }
    }

    @Override
    public void received(ByteBuffer bytes) {
      assertThat(closed).isNull();
      assertThat(peerFinished).isFalse();
      byte[] expected = other.toSend;
      assertThat(bytes).isEqualTo(ByteBuffer.wrap(expected, received, bytes.remaining()));
      received += bytes.remaining();
    }

    @Override
    public void writable() {
      assertThat(writing).isTrue();
      assertThat(finished).isFalse();
      writing = false;
      if (random.nextBoolean()) {
        writeOn();
      }
    }

    @Override
    public void peerFinished() {
      assertThat(peerFinished).isFalse();
      peerFinished = true;
      assertThat(received).isEqualTo(other.toSend.length);
    }

    @Override
    public void closed(CloseCause cause) {
      assertThat(closed).isNull();
      closed = cause;
    }
  }

  private final class Owner implements JsonListener {
    private final RandomGenerator random;
    private final boolean resets;
    private final JsonSession.DialAnswers answers;

    Owner(RandomGenerator random, boolean resets, JsonSession.DialAnswers answers) {
      this.random = random;
      this.resets = resets;
      this.answers = answers;
    }

    @Override
    public void opened(JsonStream stream, StreamHeader header) {
      int number = header.servicePort() - 1;
      assertThat(header).isEqualTo(header(number));
      var party =
          new Party(
              random,
              resets && random.nextInt(5) == 0,
              answers == JsonSession.DialAnswers.GIVEN ? DialStatus.connected() : null);
      party.other = openers.get(number);
      party.other.other = party;
      party.stream = stream;
      stream.listen(party);
    }

    @Override
    public void faulty(TunnelFault fault) {
      throw new AssertionError(fault);
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void everyByteArrivesInOrderOrTheStreamIsResetAndNothingIsLeft(long seed) throws Exception {
    RandomGenerator random = Seeds.random(seed);
    boolean resets = random.nextBoolean();
    boolean tight = random.nextInt(4) == 0;
    var answers =
        random.nextBoolean() ? JsonSession.DialAnswers.GIVEN : JsonSession.DialAnswers.NONE;
    var budget = new ByteBudget(tight ? 500_000 : 1L << 30);
    var settings = settings(random);
    var owner = new Owner(random, resets, answers);
    var gateway =
        new JsonSession(JsonSession.Side.GATEWAY, answers, settings, budget.child(1L << 30), owner);
    var agent =
        new JsonSession(JsonSession.Side.AGENT, answers, settings, budget.child(1L << 30), owner);
    var ends = new JsonEnds(random, gateway, agent);
    int toOpen = 1 + random.nextInt(12);
    int steps = 0;
    while (toOpen > 0 || gateway.streamCount() + agent.streamCount() > 0 || !ends.isQuiet()) {
      assertThat(steps++).as("steps").isLessThan(STEPS);
      if (toOpen > 0 && random.nextInt(5) == 0) {
        toOpen--;
        var party = new Party(random, resets && random.nextInt(5) == 0, null);
        openers.put(toOpen, party);
        party.stream = gateway.open(header(toOpen), party);
        assertThat(party.stream).isNotNull();
      }
      if (random.nextInt(50) == 0) {
        gateway.ping(ends.now());
        agent.ping(ends.now());
      }
      ends.step();
      for (Party party : List.copyOf(parties)) {
        party.act(ends.now());
      }
      assertThat(budget.used()).isLessThanOrEqualTo(budget.limit());
    }
    assertThat(budget.used()).isZero();
    boolean maySuffer =
        resets || gateway.counters().overBudgetResets + agent.counters().overBudgetResets > 0;
    for (Party party : parties) {
      assertThat(party.closed).isNotNull();
      if (!maySuffer) {
        assertThat(party.closed).isEqualTo(CloseCause.FINISHED);
      }
      if (party.closed == CloseCause.FINISHED) {
        assertThat(party.sent).isEqualTo(party.toSend.length);
        assertThat(party.peerFinished).isTrue();
      }
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void endAtAnyMomentReturnsTheBudgetAndTellsEveryStreamOnce(long seed) throws Exception {
    RandomGenerator random = Seeds.random(seed);
    var budget = new ByteBudget(1L << 30);
    var settings = settings(random);
    var owner = new Owner(random, true, JsonSession.DialAnswers.NONE);
    var gateway =
        new JsonSession(
            JsonSession.Side.GATEWAY, JsonSession.DialAnswers.NONE, settings, budget, owner);
    var agent =
        new JsonSession(
            JsonSession.Side.AGENT, JsonSession.DialAnswers.NONE, settings, budget, owner);
    var ends = new JsonEnds(random, gateway, agent);
    for (int i = 0; i < 10; i++) {
      var party = new Party(random, true, null);
      openers.put(i, party);
      party.stream = gateway.open(header(i), party);
    }
    int steps = random.nextInt(100);
    for (int i = 0; i < steps; i++) {
      ends.step();
      List.copyOf(parties).forEach(party -> party.act(ends.now()));
    }
    gateway.end();
    agent.end();
    assertThat(budget.used()).isZero();
    assertThat(parties).allMatch(party -> party.closed != null);
    assertThat(gateway.hasOutput()).isFalse();
    assertThat(gateway.streamCount() + agent.streamCount()).isZero();
  }
}
