package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// How processes end when they are told to, and what is done about one that stands still.
class DrainSystemTest {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  @TempDir Path directory;
  private Lab lab;

  @BeforeEach
  void start() {
    lab = Lab.in(directory).expose("echo", EchoService.start(EchoService.Behaviour.echo())).start();
  }

  @AfterEach
  void end() {
    lab.close();
  }

  private Socket openClient() throws IOException {
    Socket client = lab.connect("echo");
    client.setSoTimeout((int) PATIENCE.toMillis());
    lab.roundTrip(client);
    return client;
  }

  @Test
  void aGatewayLetsWhatRunsGoOnAndTakesNothingNew() throws Exception {
    try (Socket client = openClient()) {
      lab.gateway().signal("TERM");
      await().atMost(PATIENCE).until(() -> lab.gateway().status("/readyz") == 503);
      await().atMost(PATIENCE).until(() -> !lab.echoes("echo"));
      lab.roundTrip(client);
      assertThat(lab.gateway().isRunning()).isTrue();
    }
    assertThat(lab.gateway().awaitExit()).as(lab::report).isZero();
  }

  @Test
  void aSecondSignalEndsItAtOnce() throws Exception {
    try (Socket client = openClient()) {
      lab.gateway().signal("TERM");
      await().atMost(PATIENCE).until(() -> lab.gateway().status("/readyz") == 503);
      lab.roundTrip(client);
      lab.gateway().signal("TERM");
      assertThat(lab.gateway().awaitExit()).as(lab::report).isZero();
    }
  }

  @Test
  void theCommandDrainsAndWaits() {
    NodeProcess command = lab.drainCommand();
    assertThat(command.awaitExit()).as(command::report).isZero();
    assertThat(command.output()).last().isEqualTo("the node has ended");
    assertThat(lab.gateway().awaitExit()).as(lab::report).isZero();
  }

  @Test
  void anAgentLetsWhatRunsGoOn() throws Exception {
    try (Socket client = openClient()) {
      lab.agent().signal("TERM");
      await().atMost(PATIENCE).until(() -> !lab.echoes("echo"));
      lab.roundTrip(client);
    }
    assertThat(lab.agent().awaitExit()).as(lab::report).isZero();
  }

  @Test
  void anAgentThatStandsStillIsCutWithinTenSecondsAndIsBackWhenItGoesOn() {
    await().atMost(PATIENCE).until(() -> links() == 2);
    long stopped = System.nanoTime();
    lab.agent().signal("STOP");
    try {
      await().atMost(PATIENCE).until(() -> links() == 0);
      assertThat(Duration.ofNanos(System.nanoTime() - stopped))
          .isLessThan(Limits.time(Duration.ofSeconds(10)));
    } finally {
      lab.agent().signal("CONT");
    }
    await().atMost(PATIENCE).until(() -> lab.echoes("echo"));
  }

  private double links() {
    return lab.gateway().metrics().getOrDefault("penstock_gateway_links", 0.0);
  }
}
