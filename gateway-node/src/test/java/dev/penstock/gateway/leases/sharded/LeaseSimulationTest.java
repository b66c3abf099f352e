package dev.penstock.gateway.leases.sharded;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LeaseSimulationTest {
  private static final int STEPS = 6_000;

  static LongStream seeds() {
    Long pinned = Long.getLong("seed");
    return pinned != null ? LongStream.of(pinned) : LongStream.range(0, 60);
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void noPortHasTwoOwnersAndNoAcknowledgedLeaseIsLostWhateverCrashes(long seed) {
    var simulation = new LeaseSimulation(seed);
    for (int i = 0; i < STEPS; i++) {
      simulation.step();
      if (i % 20 == 0) {
        simulation.check();
      }
    }
    simulation.settle();
    simulation.check();
    assertThat(simulation.acknowledgements()).isGreaterThan(100);
  }
}
