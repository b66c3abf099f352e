package dev.penstock.gateway.links;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.Seeds;
import java.time.Duration;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class EjectionTest {
  private static final long SHORTEST = Ejection.SHORTEST.toNanos();
  private static final long LONGEST = Ejection.LONGEST.toNanos();

  static LongStream seeds() {
    return Seeds.many();
  }

  private static Ejection failed(Ejection from, int times, long now) {
    Ejection after = from;
    for (int i = 0; i < times; i++) {
      after = after.failed(now);
    }
    return after;
  }

  @Test
  void oneFailureLessThanTolerableChangesNothing() {
    assertThat(failed(Ejection.NONE, Ejection.TOLERATED - 1, 0).isOut(0)).isFalse();
  }

  @Test
  void theLastTolerableFailureLeavesItOutForTheShortestTime() {
    var out = failed(Ejection.NONE, Ejection.TOLERATED, 100);
    assertThat(out.isOut(100)).isTrue();
    assertThat(out.isOut(100 + SHORTEST - 1)).isTrue();
    assertThat(out.isOut(100 + SHORTEST)).isFalse();
  }

  @Test
  void onTrialOneFailureIsEnoughAndTakesTwiceAsLong() {
    var out = failed(Ejection.NONE, Ejection.TOLERATED, 0).failed(SHORTEST);
    assertThat(out.isOut(SHORTEST + 2 * SHORTEST - 1)).isTrue();
    assertThat(out.isOut(SHORTEST + 2 * SHORTEST)).isFalse();
  }

  @Test
  void failuresWhileItIsOutDoNotProlongThat() {
    var out = failed(Ejection.NONE, Ejection.TOLERATED, 0);
    assertThat(failed(out, 100, SHORTEST / 2)).isEqualTo(out);
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void whateverHappensItIsTriedAgainAfterTheLongestTime(long seed) {
    var random = Seeds.random(seed);
    var ejection = Ejection.NONE;
    long now = random.nextLong();
    for (int i = 0; i < 200; i++) {
      now += random.nextLong(Duration.ofSeconds(30).toNanos());
      ejection = random.nextInt(10) == 0 ? Ejection.NONE : ejection.failed(now);
      assertThat(ejection.isOut(now + LONGEST)).isFalse();
      assertThat(ejection.failures()).isLessThanOrEqualTo(Ejection.TOLERATED);
    }
  }
}
