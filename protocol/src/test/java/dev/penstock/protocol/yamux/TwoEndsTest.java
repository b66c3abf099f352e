package dev.penstock.protocol.yamux;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.Seeds;
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

/// Two sessions under a seed: random writes, finishes, resets, slow readers, latency, cuts.
class TwoEndsTest {
  private static final int STEPS = 100_000;

  static LongStream seeds() {
    return Seeds.many();
  }

  private final Map<Role, Map<Integer, Party>> parties =
      Map.of(Role.CLIENT, new HashMap<>(), Role.SERVER, new HashMap<>());

  /// One end of one stream: sends a known sequence, checks the other's, and counts its callbacks.
  private final class Party implements StreamListener {
    final Role role;
    final RandomGenerator random;
    final long total;
    final boolean mayReset;
    long sent;
    long received;
    boolean writing;
    boolean peerFinished;
    @Nullable CloseCause closed;
    @Nullable YamuxStream stream;

    Party(Role role, RandomGenerator random, boolean mayReset) {
      this.role = role;
      this.random = random;
      this.mayReset = mayReset;
      this.total =
          switch (random.nextInt(4)) {
            case 0 -> 0;
            case 1 -> random.nextInt(10);
            case 2 -> random.nextInt(50_000);
            default -> random.nextInt(1_500_000);
          };
    }

    void begin(YamuxStream opened) {
      stream = opened;
      parties.get(role).put(opened.id(), this);
    }

    void act(long now) {
      YamuxStream open = stream;
      if (closed != null || open == null) {
        return;
      }
      assertThat(open.unread()).isBetween(0, open.receiveWindow());
      if (mayReset && random.nextInt(400) == 0) {
        open.reset();
        assertThat(closed).isEqualTo(CloseCause.RESET_LOCALLY);
        return;
      }
      if (!writing && random.nextInt(3) > 0) {
        writeOn();
      }
      if (closed == null && random.nextInt(3) == 0) {
        int most = random.nextInt(8) == 0 ? 100 : open.unread();
        open.consumed(random.nextInt(Math.min(most, open.unread()) + 1), now);
      }
      if (closed == null && random.nextInt(10) == 0) {
        open.accept();
      }
    }

    private void writeOn() {
      if (sent == total) {
        stream.finish();
        return;
      }
      int length = (int) Math.min(total - sent, 1 + random.nextInt(1 << random.nextInt(18)));
      byte[] bytes = new byte[length];
      for (int i = 0; i < length; i++) {
        bytes[i] = byteAt(stream.id(), role, sent + i);
      }
      sent += length;
      writing = true;
      stream.write(ByteBuffer.wrap(bytes));
      if (sent == total && random.nextBoolean()) {
        stream.finish();
      }
    }

    @Override
    public void received(ByteBuffer bytes) {
      assertThat(closed).isNull();
      assertThat(peerFinished).isFalse();
      while (bytes.hasRemaining()) {
        if (bytes.get() != byteAt(stream.id(), role.peer(), received)) {
          throw new AssertionError(stream + ": byte " + received);
        }
        received++;
      }
    }

    @Override
    public void writable() {
      assertThat(closed).isNull();
      assertThat(writing).isTrue();
      writing = false;
      if (random.nextBoolean()) {
        writeOn();
      }
    }

    @Override
    public void peerFinished() {
      assertThat(closed).isNull();
      assertThat(peerFinished).isFalse();
      peerFinished = true;
      assertThat(received).isEqualTo(parties.get(role.peer()).get(stream.id()).total);
    }

    @Override
    public void closed(CloseCause cause) {
      assertThat(closed).isNull();
      closed = cause;
    }
  }

  private static byte byteAt(int id, Role role, long position) {
    return (byte) (id * 31 + (role == Role.CLIENT ? 17 : 0) + position * 7 + (position >>> 8));
  }

  private final class Owner implements SessionListener {
    private final Role role;
    private final RandomGenerator random;
    private final boolean resets;

    Owner(Role role, RandomGenerator random, boolean resets) {
      this.role = role;
      this.random = random;
      this.resets = resets;
    }

    @Override
    public void opened(YamuxStream stream) {
      Party party = new Party(role, random, resets && random.nextInt(5) == 0);
      stream.listen(party);
      party.begin(stream);
      if (random.nextBoolean()) {
        stream.accept();
      }
    }

    @Override
    public void goAway(GoAwayCode code) {
      throw new AssertionError(code);
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void everyByteArrivesInOrderOrTheStreamIsResetAndNothingIsLeft(long seed)
      throws ProtocolViolation {
    RandomGenerator random = Seeds.random(seed);
    boolean resets = random.nextBoolean();
    boolean tight = random.nextInt(4) == 0;
    SessionSettings settings =
        new SessionSettings(
            (256 * 1024) << random.nextInt(3),
            1024 << random.nextInt(6),
            1 + random.nextInt(6),
            1000,
            1000,
            10_000);
    ByteBudget process = new ByteBudget(tight ? 500_000 : 1L << 30);
    YamuxSession client =
        new YamuxSession(
            Role.CLIENT, settings, process.child(1L << 30), new Owner(Role.CLIENT, random, resets));
    YamuxSession server =
        new YamuxSession(
            Role.SERVER, settings, process.child(1L << 30), new Owner(Role.SERVER, random, resets));
    TwoEnds ends = new TwoEnds(random, random.nextInt(3) * 50_000L, client, server);

    int toOpen = 1 + random.nextInt(12);
    int steps = 0;
    while (toOpen > 0 || client.streamCount() + server.streamCount() > 0 || !ends.isQuiet()) {
      assertThat(steps++).as("steps").isLessThan(STEPS);
      if (toOpen > 0 && random.nextInt(5) == 0) {
        Role role = random.nextBoolean() ? Role.CLIENT : Role.SERVER;
        Party party = new Party(role, random, resets && random.nextInt(5) == 0);
        if (ends.session(role).open(party) instanceof OpenResult.Opened(YamuxStream stream)) {
          party.begin(stream);
        }
        toOpen--;
      }
      if (random.nextInt(50) == 0) {
        ends.session(Role.CLIENT).ping(ends.now());
        ends.session(Role.SERVER).ping(ends.now());
      }
      ends.step();
      for (Map<Integer, Party> side : parties.values()) {
        for (Party party : List.copyOf(side.values())) {
          party.act(ends.now());
        }
      }
      assertThat(process.used()).isBetween(unread(), process.limit());
    }

    assertThat(process.used()).isZero();
    boolean maySuffer =
        resets
            || client.counters().overBudgetResets + server.counters().overBudgetResets > 0
            || client.counters().refusedOpens + server.counters().refusedOpens > 0;
    for (Party party : all()) {
      assertThat(party.closed).isNotNull();
      if (!maySuffer) {
        assertThat(party.closed).isEqualTo(CloseCause.FINISHED);
      }
      if (party.closed == CloseCause.FINISHED) {
        assertThat(party.sent).isEqualTo(party.total);
        assertThat(party.peerFinished).isTrue();
      }
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void endAtAnyMomentReturnsTheBudgetAndTellsEveryStreamOnce(long seed) throws ProtocolViolation {
    RandomGenerator random = Seeds.random(seed);
    ByteBudget process = new ByteBudget(1L << 30);
    SessionSettings settings = SessionSettings.defaults();
    YamuxSession client =
        new YamuxSession(
            Role.CLIENT, settings, process.child(1L << 30), new Owner(Role.CLIENT, random, true));
    YamuxSession server =
        new YamuxSession(
            Role.SERVER, settings, process.child(1L << 30), new Owner(Role.SERVER, random, true));
    TwoEnds ends = new TwoEnds(random, 0, client, server);
    for (int i = 0; i < 10; i++) {
      Party party = new Party(Role.CLIENT, random, true);
      if (client.open(party) instanceof OpenResult.Opened(YamuxStream stream)) {
        party.begin(stream);
      }
    }
    client.ping(0);
    int steps = random.nextInt(100);
    for (int i = 0; i < steps; i++) {
      ends.step();
      for (Party party : all()) {
        party.act(ends.now());
      }
    }
    client.end();
    server.end();
    assertThat(process.used()).isZero();
    assertThat(all()).allMatch(party -> party.closed != null);
    assertThat(ends.session(Role.CLIENT).streamCount()).isZero();
  }

  private List<Party> all() {
    List<Party> all = new ArrayList<>();
    parties.values().forEach(side -> all.addAll(side.values()));
    return all;
  }

  private long unread() {
    long sum = 0;
    for (Party party : all()) {
      if (party.closed == null && party.stream != null) {
        sum += party.stream.unread();
      }
    }
    return sum;
  }
}
