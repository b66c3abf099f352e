package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.testkit.EchoService.Behaviour;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Either end may die at any moment: when both run again, the tunnels are back on the same ports.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@Tag("alone")
class RestartSystemTest {
  private static final Duration LIMIT = Limits.time(Duration.ofSeconds(2));

  @TempDir static Path directory;
  private static Lab lab;

  @BeforeAll
  static void start() {
    lab = Lab.in(directory).expose("echo", EchoService.start(Behaviour.echo())).start();
  }

  @AfterAll
  static void stop() {
    lab.close();
  }

  @RepeatedTest(3)
  void aKilledGatewayServesTheSamePortsAgain() {
    assertThat(lab.echoes("echo")).as(lab::report).isTrue();
    lab.gateway().kill();
    lab.startGateway().awaitReady();
    assertServesWithin(LIMIT);
  }

  @RepeatedTest(3)
  void aKilledAgentServesTheSamePortsAgain() {
    assertThat(lab.echoes("echo")).as(lab::report).isTrue();
    lab.agent().kill();
    NodeProcess agent = lab.startAgent();
    await().pollInterval(Duration.ofMillis(10)).until(() -> agent.status("/healthz") == 200);
    assertServesWithin(LIMIT);
  }

  @Test
  void anAgentThatLostItsGatewayIsNotReadyUntilItIsBack() {
    lab.gateway().kill();
    await().atMost(Duration.ofSeconds(10)).until(() -> !lab.agent().isReady());
    lab.startGateway().awaitReady();
    await().atMost(Duration.ofSeconds(10)).until(lab.agent()::isReady);
    assertThat(lab.echoes("echo")).as(lab::report).isTrue();
  }

  private static void assertServesWithin(Duration limit) {
    long start = System.nanoTime();
    await()
        .atMost(Duration.ofMinutes(1))
        .pollInterval(Duration.ofMillis(10))
        .until(() -> lab.echoes("echo"));
    assertThat(Duration.ofNanos(System.nanoTime() - start)).as(lab::report).isLessThan(limit);
  }
}
