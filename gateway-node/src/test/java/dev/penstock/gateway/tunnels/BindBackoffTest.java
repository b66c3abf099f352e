package dev.penstock.gateway.tunnels;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BindBackoffTest {
  @Test
  void waitsDoubleUpToHalfAMinute() {
    assertThat(IntStream.rangeClosed(1, 9).mapToObj(BindBackoff::after).map(Duration::toMillis))
        .containsExactly(250L, 500L, 1_000L, 2_000L, 4_000L, 8_000L, 16_000L, 30_000L, 30_000L);
    assertThat(BindBackoff.after(Integer.MAX_VALUE)).isEqualTo(Duration.ofSeconds(30));
  }
}
