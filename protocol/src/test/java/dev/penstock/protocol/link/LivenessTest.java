package dev.penstock.protocol.link;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.Seeds;
import dev.penstock.protocol.link.Liveness.Look;
import dev.penstock.protocol.link.Liveness.Proof;
import dev.penstock.protocol.link.Liveness.Reading;
import dev.penstock.protocol.link.Liveness.Traffic;
import dev.penstock.protocol.link.Liveness.Verdict;
import java.time.Duration;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class LivenessTest {
  private static final Duration INTERVAL = Duration.ofSeconds(15);
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  /// A peer whose pings, canaries and other bytes stop at times of the test's choice, looked at
  /// once a second.
  private static final class Lab {
    private final Liveness liveness;
    private long now;
    private Long pingSent;
    private boolean canaryOpen;
    private long heardAt;
    private boolean pongs = true;
    private boolean canaries = true;
    private boolean chatter;
    private int pings;
    private int canariesSent;
    private boolean silent;
    private LinkEnd end;

    Lab(Proof proof, RandomGenerator random) {
      now = random.nextLong();
      heardAt = now;
      liveness = new Liveness(INTERVAL, PATIENCE, now);
      liveness.agreed(proof);
    }

    void dies() {
      pongs = false;
      canaries = false;
      chatter = false;
    }

    /// Lets a second pass, in which the peer answers what it answers.
    void second(Duration length) {
      now += length.toNanos() / 2;
      if (pongs && pingSent != null) {
        pingSent = null;
        heardAt = now;
      }
      if (canaries && canaryOpen) {
        canaryOpen = false;
        heardAt = now;
        liveness.canaryOver(now);
      }
      if (chatter) {
        heardAt = now;
      }
      now += length.toNanos() / 2;
      Verdict verdict =
          liveness.look(now, new Look(pingSent, heardAt, Traffic.IDLE, Reading.READS));
      silent = verdict instanceof Verdict.Silent;
      switch (verdict) {
        case Verdict.Dead(var found) -> end = found;
        case Verdict.Silent(var send) -> sent(send);
        case Verdict.Speaks(var send) -> sent(send);
      }
    }

    private void sent(Liveness.Send send) {
      if (send.ping()) {
        pings++;
        liveness.pinged(now);
        if (pingSent == null) {
          pingSent = now;
        }
      }
      if (send.canary()) {
        canariesSent++;
        canaryOpen = true;
        liveness.canarySent(now);
      }
    }

    void seconds(int count) {
      for (int i = 0; i < count; i++) {
        second(Duration.ofSeconds(1));
      }
    }

    /// Seconds until it is given up, with looks that come late by up to `jitter` milliseconds.
    double untilGivenUp(RandomGenerator random, int jitter) {
      long start = now;
      while (end == null && now - start < Duration.ofMinutes(5).toNanos()) {
        second(Duration.ofMillis(1000 + random.nextInt(jitter + 1)));
      }
      return (now - start) / 1e9;
    }
  }

  private static LongStream seeds() {
    return Seeds.many();
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void aLinkWhoseAgentStoppedIsGivenUpWithinTenSeconds(long seed) {
    RandomGenerator random = Seeds.random(seed);
    var lab = new Lab(Proof.CANARIES, random);
    lab.seconds(random.nextInt(60));
    lab.dies();
    assertThat(lab.untilGivenUp(random, 40)).isLessThan(10);
    assertThat(lab.end.cause()).isEqualTo(LinkEnd.Cause.CANARY_TIMEOUT);
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void anAgentThatAnswersPingsAndServesNoStreamIsGivenUpWithinTenSeconds(long seed) {
    RandomGenerator random = Seeds.random(seed);
    var lab = new Lab(Proof.CANARIES, random);
    lab.chatter = random.nextBoolean();
    lab.seconds(random.nextInt(60));
    lab.canaries = false;
    assertThat(lab.untilGivenUp(random, 40)).isLessThan(10);
    assertThat(lab.end.detail()).contains("answers pings");
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void anAgentGivesUpAGatewayThatStoppedWithinTenSeconds(long seed) {
    RandomGenerator random = Seeds.random(seed);
    var lab = new Lab(Proof.CANARIES_OF_PEER, random);
    lab.chatter = true;
    lab.seconds(random.nextInt(60));
    lab.dies();
    assertThat(lab.untilGivenUp(random, 40)).isLessThan(10);
  }

  @Test
  void anAgentWithoutCanariesIsGivenUpByPingsAlone() {
    RandomGenerator random = Seeds.random(7);
    var lab = new Lab(Proof.PINGS, random);
    lab.seconds(60);
    assertThat(lab.canariesSent).isZero();
    assertThat(lab.pings).isBetween(3, 4);
    lab.dies();
    assertThat(lab.untilGivenUp(random, 0)).isBetween(10.0, 27.0);
    assertThat(lab.end.cause()).isEqualTo(LinkEnd.Cause.KEEPALIVE_TIMEOUT);
  }

  @Test
  void aLinkThatLivesCostsACanaryEveryThreeSecondsAndAPingEveryFifteen() {
    var lab = new Lab(Proof.CANARIES, Seeds.random(1));
    lab.seconds(60);
    assertThat(lab.end).isNull();
    assertThat(lab.canariesSent).isBetween(18, 21);
    assertThat(lab.pings).isBetween(3, 4);
  }

  @Test
  void aSlowWayOnWhichBytesComeIsNoDeadOne() {
    var lab = new Lab(Proof.CANARIES, Seeds.random(2));
    lab.seconds(20);
    lab.dies();
    lab.chatter = true;
    lab.seconds(8);
    assertThat(lab.end).as("the ping is under way, and its answer behind data").isNull();
    lab.pongs = true;
    lab.canaries = true;
    lab.seconds(60);
    assertThat(lab.end).isNull();
  }

  @Test
  void aPeerThatOwesAnAnswerIsSilentUntilItSpeaks() {
    var lab = new Lab(Proof.CANARIES, Seeds.random(3));
    lab.seconds(20);
    lab.dies();
    while (!lab.silent) {
      assertThat(lab.end).isNull();
      lab.seconds(1);
    }
    lab.chatter = true;
    lab.seconds(1);
    assertThat(lab.silent).isFalse();
  }

  @Test
  void aPauseOfThisProcessIsNotHeldAgainstThePeer() {
    var lab = new Lab(Proof.CANARIES, Seeds.random(4));
    lab.seconds(20);
    lab.dies();
    lab.second(Duration.ofSeconds(60));
    assertThat(lab.end).as("its answers may lie in the socket").isNull();
    lab.pongs = true;
    lab.canaries = true;
    lab.seconds(60);
    assertThat(lab.end).isNull();
  }

  @Test
  void aCanaryThatFoundNoRoomIsTriedAgain() {
    var lab = new Lab(Proof.CANARIES, Seeds.random(5));
    for (int i = 0; i < 60; i++) {
      lab.seconds(1);
      if (lab.canaryOpen) {
        lab.canaryOpen = false;
        lab.liveness.canaryOver(lab.now);
      }
    }
    assertThat(lab.end).isNull();
    assertThat(lab.canariesSent).isGreaterThan(10);
  }
}
