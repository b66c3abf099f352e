package dev.penstock.agent.connect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class BackoffTest {
  private final Backoff backoff = Backoff.standard();

  static LongStream seeds() {
    Long pinned = Long.getLong("seed");
    return pinned != null ? LongStream.of(pinned) : LongStream.range(0, 200);
  }

  @ParameterizedTest
  @CsvSource({
    "0,500",
    "999,500",
    "1000,500",
    "1002,501",
    "10000,5000",
    "120000,60000",
    "9999999,60000"
  })
  void theCapIsHalfOfTheOutageWithinItsBounds(long outageMillis, long capMillis) {
    assertThat(backoff.cap(Duration.ofMillis(outageMillis)))
        .isEqualTo(Duration.ofMillis(capMillis));
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void aDelayLiesBetweenWhatWasAskedForAndTheCapOnTop(long seed) {
    var random = new SplittableRandom(seed);
    var outage = Duration.ofMillis(random.nextLong(1_000_000));
    var asked = Duration.ofMillis(random.nextLong(20_000));
    assertThat(backoff.delay(outage, asked, random))
        .isBetween(asked, asked.plus(backoff.cap(outage)));
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void afterAnOutageNobodyStaysAwayMuchLongerThanItLasted(long seed) {
    var random = new SplittableRandom(seed);
    var outage = Duration.ofMillis(random.nextLong(1, 300_000));
    var elapsed = Duration.ZERO;
    while (elapsed.compareTo(outage) < 0) {
      elapsed = elapsed.plus(backoff.delay(elapsed, Duration.ZERO, random)).plusMillis(1);
    }
    var late = elapsed.minus(outage);
    assertThat(late).isLessThanOrEqualTo(backoff.cap(outage).plusMillis(1));
  }

  @Test
  void agentsThatLostOneGatewayTogetherReturnSpreadOut() {
    int[] tenths = new int[10];
    for (int agent = 0; agent < 1_000; agent++) {
      var delay = backoff.delay(Duration.ofSeconds(20), Duration.ZERO, new SplittableRandom(agent));
      tenths[(int) Math.min(9, delay.toMillis() / 1_000)]++;
    }
    assertThat(IntStream.of(tenths)).allMatch(count -> count > 60 && count < 140);
  }

  @Test
  void aLongOutageIsNotHammered() {
    var random = new SplittableRandom(1);
    var elapsed = Duration.ZERO;
    int tries = 0;
    while (elapsed.compareTo(Duration.ofHours(1)) < 0) {
      elapsed = elapsed.plus(backoff.delay(elapsed, Duration.ZERO, random));
      tries++;
    }
    assertThat(tries).isBetween(90, 200);
  }

  @Test
  void whatMakesNoSenseIsRefused() {
    var negative = Duration.ofMillis(-1);
    assertThatThrownBy(() -> backoff.delay(negative, Duration.ZERO, new SplittableRandom(1)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Backoff(Duration.ZERO, Duration.ofSeconds(1)))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
