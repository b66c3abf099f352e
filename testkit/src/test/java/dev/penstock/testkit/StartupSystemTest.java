package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.testkit.EchoService.Behaviour;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// From the command to readiness. The aims are 2 s for a gateway and 1.5 s for an agent, with the
/// start-up cache; what is asserted leaves room for a busy machine.
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@Tag("alone")
class StartupSystemTest {
  private static final int RUNS = 5;
  private static final Duration BOUND = Duration.ofSeconds(10);

  @TempDir Path directory;

  @Test
  void bothAreReadyWithinSeconds() {
    Duration gateway = BOUND;
    Duration agent = BOUND;
    for (int run = 0; run < RUNS; run++) {
      try (Lab lab = Lab.in(directory).expose("echo", EchoService.start(Behaviour.echo()))) {
        gateway = shorter(gateway, readyAfter(lab.startGateway()));
        agent = shorter(agent, readyAfter(lab.startAgent()));
        assertThat(lab.agent().output()).contains(lab.announcement("echo"));
        assertThat(lab.agent().terminate()).as(lab::report).isZero();
        assertThat(lab.gateway().terminate()).as(lab::report).isZero();
      }
    }
    System.out.printf("ready, best of %d: gateway %s, agent %s%n", RUNS, gateway, agent);
    assertThat(gateway).isLessThan(BOUND);
    assertThat(agent).isLessThan(BOUND);
  }

  private static Duration readyAfter(NodeProcess node) {
    node.awaitReady();
    return Duration.ofNanos(System.nanoTime() - node.startedNanos());
  }

  private static Duration shorter(Duration one, Duration other) {
    return Stream.of(one, other).min(Duration::compareTo).orElseThrow();
  }
}
