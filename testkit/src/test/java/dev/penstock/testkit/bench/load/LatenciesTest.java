package dev.penstock.testkit.bench.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class LatenciesTest {
  @Test
  void percentilesAreMeasuredValuesOfTheNearestRank() {
    var latencies = new Latencies();
    for (int micros = 10_000; micros > 0; micros--) {
      latencies.add(micros * 1_000L);
    }
    assertThat(latencies.size()).isEqualTo(10_000);
    assertThat(latencies.micros(50)).isEqualTo(5_000);
    assertThat(latencies.micros(99)).isEqualTo(9_900);
    assertThat(latencies.micros(99.9)).isEqualTo(9_990);
    assertThat(latencies.micros(100)).isEqualTo(10_000);
  }

  @Test
  void oneValueIsEveryPercentile() {
    var latencies = new Latencies();
    latencies.add(1_500);
    assertThat(latencies.micros(0.1)).isEqualTo(1.5);
    assertThat(latencies.micros(99.9)).isEqualTo(1.5);
  }

  @Test
  void nothingHasNoPercentile() {
    assertThatThrownBy(() -> new Latencies().micros(50))
        .hasMessage("latencies: 0 (expected: at least 1)");
  }
}
