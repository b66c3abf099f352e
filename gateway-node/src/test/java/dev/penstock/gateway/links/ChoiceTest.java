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

class ChoiceTest {
  private record Place(String name, int load) {}

  static LongStream seeds() {
    return Seeds.many();
  }

  private static Place choose(List<Place> here, List<Place> elsewhere) {
    return Choice.choose(here, () -> elsewhere, Place::load, Seeds.random(1));
  }

  @Test
  void withoutAnyWayThereIsNoChoice() {
    assertThat(choose(List.of(), List.of())).isNull();
  }

  @Test
  void whereThereIsNoLinkHereOneElsewhereIsTakenHoweverBusy() {
    var busy = new Place("there", 1_000_000);
    assertThat(choose(List.of(), List.of(busy))).isSameAs(busy);
  }

  @Test
  void nobodyLooksElsewhereWhileALinkHereHasRoom() {
    var here = new Place("here", Choice.HEAD_START);
    assertThat(
            Choice.<Place>choose(
                List.of(here),
                () -> {
                  throw new AssertionError("looked elsewhere");
                },
                Place::load,
                Seeds.random(1)))
        .isSameAs(here);
  }

  @Test
  void aLinkHereIsPreferredUntilItIsFarBusier() {
    var idle = new Place("there", 0);
    assertThat(choose(List.of(new Place("here", Choice.HEAD_START)), List.of(idle)).name())
        .isEqualTo("here");
    assertThat(choose(List.of(new Place("here", Choice.HEAD_START + 1)), List.of(idle)).name())
        .isEqualTo("there");
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void theChosenOneIsNeverFarBusierThanTheRuleAllows(long seed) {
    var random = Seeds.random(seed);
    var here = new Place("here", random.nextInt(10_000));
    var there = new Place("there", random.nextInt(10_000));
    var chosen = choose(List.of(here), List.of(there));
    assertThat(chosen).isSameAs(here.load() > Choice.weighted(there.load()) ? there : here);
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void aBurstFillsHereFirstAndThenEverything(long seed) {
    var random = Seeds.random(seed);
    int size = random.nextInt(2, 8);
    var load = new int[size];
    var elsewhere = IntStream.range(1, size).boxed().toList();
    int streams = 1_000 * size;
    for (int i = 0; i < streams; i++) {
      Integer chosen = Choice.<Integer>choose(List.of(0), () -> elsewhere, it -> load[it], random);
      load[chosen]++;
      if (i < Choice.HEAD_START) {
        assertThat(load[0]).isEqualTo(i + 1);
      }
    }
    int most = Arrays.stream(load).skip(1).max().orElseThrow();
    assertThat((long) load[0]).isLessThanOrEqualTo(Choice.weighted(most) + 1);
    assertThat(Arrays.stream(load)).allMatch(it -> it > 0);
  }
}
