package dev.penstock.gateway.links;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.Seeds;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class PowerOfTwoTest {
  static LongStream seeds() {
    return Seeds.many();
  }

  @Test
  void aSingleCandidateIsTaken() {
    assertThat(PowerOfTwo.choose(List.of("only"), _ -> 1_000, Seeds.random(1))).isEqualTo("only");
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void theMostLoadedIsNeverTakenWhileAnotherHasLess(long seed) {
    var random = Seeds.random(seed);
    int size = random.nextInt(2, 10);
    int most = random.nextInt(size);
    var candidates = IntStream.range(0, size).boxed().toList();
    for (int i = 0; i < 100; i++) {
      assertThat(PowerOfTwo.choose(candidates, it -> it == most ? 7 : 6, random))
          .isNotEqualTo(most);
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void everyOneOfEquallyLoadedCandidatesIsTakenNowAndThen(long seed) {
    var random = Seeds.random(seed);
    int size = random.nextInt(2, 10);
    var candidates = IntStream.range(0, size).boxed().toList();
    var taken = new int[size];
    for (int i = 0; i < 100 * size; i++) {
      taken[PowerOfTwo.choose(candidates, _ -> 0, random)]++;
    }
    assertThat(Arrays.stream(taken)).allMatch(count -> count > 40);
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void aBurstIsSpreadNearlyEvenly(long seed) {
    var random = Seeds.random(seed);
    int size = random.nextInt(2, 20);
    var candidates = IntStream.range(0, size).boxed().toList();
    var load = new int[size];
    for (int i = 0; i < 100 * size; i++) {
      load[PowerOfTwo.choose(candidates, it -> load[it], random)]++;
    }
    assertThat(Arrays.stream(load)).allMatch(it -> Math.abs(it - 100) <= 10);
  }
}
