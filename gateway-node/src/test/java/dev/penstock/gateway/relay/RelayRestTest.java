package dev.penstock.gateway.relay;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.Seeds;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RelayRestTest {
  static LongStream seeds() {
    return Seeds.many();
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void restsDoubleUpToTheLongestAndNoTwoAreAlike(long seed) {
    var random = Seeds.random(seed);
    long full = RelayRest.SHORTEST.toNanos();
    for (int failures = 1; failures < 100; failures++) {
      assertThat(RelayRest.after(failures, random).toNanos()).isBetween(full * 3 / 4, full * 5 / 4);
      full = Math.min(2 * full, RelayRest.LONGEST.toNanos());
    }
  }
}
