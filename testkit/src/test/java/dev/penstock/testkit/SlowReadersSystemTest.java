package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.control.Carrier;
import dev.penstock.testkit.EchoService.Behaviour;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/// Readers that stop reading hold up themselves and nobody else, and memory stays bounded.
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@ParameterizedClass
@EnumSource
@Tag("alone")
class SlowReadersSystemTest {
  private static final int READERS = 200;
  private static final int PINGS = 2_000;
  private static final Duration P99 = Limits.time(Duration.ofMillis(10));

  /// The budget of a process for slow readers (`windows.process_budget`), heap that is free again
  /// included.
  private static final long LARGEST_GROWTH = 256L << 20;

  @TempDir Path directory;

  /// What carries the streams.
  @Parameter Carrier carrier;

  private final List<Socket> clients = new ArrayList<>();
  private final Pushers pushers = new Pushers();
  private Lab lab;
  private long gatewayBefore;
  private long agentBefore;

  @BeforeEach
  void start() {
    lab =
        Lab.in(directory)
            .over(carrier)
            .expose("echo", EchoService.start(Behaviour.echo()))
            .expose("flood", EchoService.start(Behaviour.flood()))
            .expose("deaf", EchoService.start(Behaviour.deaf()))
            .start();
    assertThat(lab.echoes("echo")).as(lab::report).isTrue();
    gatewayBefore = lab.gateway().residentBytes();
    agentBefore = lab.agent().residentBytes();
  }

  @AfterEach
  void stop() throws IOException {
    for (Socket client : clients) {
      client.close();
    }
    lab.close();
  }

  @Test
  void clientsThatStopReadingHoldUpNobodyElse() throws IOException {
    for (int i = 0; i < READERS; i++) {
      clients.add(lab.connect("flood"));
    }
    assertOthersAreServed();
  }

  @Test
  void servicesThatStopReadingHoldUpNobodyElse() throws IOException {
    for (int i = 0; i < READERS; i++) {
      Socket client = lab.connect("deaf");
      clients.add(client);
      Thread.ofVirtual().start(() -> pushers.push(client));
    }
    pushers.awaitStanding();
    assertOthersAreServed();
  }

  private void assertOthersAreServed() throws IOException {
    try (Pinger pinger = Pinger.of(lab, "echo")) {
      Duration first = pinger.p99(PINGS);
      Duration p99 = pinger.p99(PINGS);
      long gateway = lab.gateway().residentBytes() - gatewayBefore;
      long agent = lab.agent().residentBytes() - agentBefore;
      System.out.printf(
          "%s beside %d readers that stopped: ping p99 %s while they fill, %s after; gateway +%d, agent +%d bytes%n",
          carrier, READERS, first, p99, gateway, agent);
      assertThat(p99).as(lab::report).isLessThan(P99);
      assertThat(gateway).isLessThan(LARGEST_GROWTH);
      assertThat(agent).isLessThan(LARGEST_GROWTH);
    }
  }
}
