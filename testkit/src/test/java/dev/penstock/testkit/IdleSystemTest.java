package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.testkit.EchoService.Behaviour;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Connections that say nothing cost next to nothing, also when all of them share one link.
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@Tag("alone")
class IdleSystemTest {
  private static final Duration WINDOW = Duration.ofSeconds(10);
  private static final Duration SETTLE = Duration.ofSeconds(5);
  private static final int KIB = 1_024;
  private static final long LARGEST_CONNECTION = 12L * KIB;
  private static final int ROUND = 1_000;
  private static final int MOST_ROUNDS = 30;
  private static final long SETTLED = 1L << 20;
  private static final Payload WARM_UP = new Payload(21, 256L << 20);

  @TempDir Path directory;

  @Test
  void aThousandIdleConnectionsUseLessThanOnePercentOfACore() throws IOException {
    Duration limit = Limits.time(WINDOW.dividedBy(100));
    try (Lab lab = echo();
        Clients clients = Clients.connect(lab, "echo", 1_000)) {
      // What the compiler still has to do after a thousand connections is not idling.
      await().pollDelay(SETTLE).until(() -> true);
      Duration gatewayBefore = lab.gateway().cpuTime();
      Duration agentBefore = lab.agent().cpuTime();
      await().pollDelay(WINDOW).atMost(WINDOW.multipliedBy(2)).until(() -> true);
      Duration gateway = lab.gateway().cpuTime().minus(gatewayBefore);
      Duration agent = lab.agent().cpuTime().minus(agentBefore);
      System.out.printf("idle: gateway %s, agent %s of CPU in %s%n", gateway, agent, WINDOW);
      assertThat(gateway).isLessThan(limit);
      assertThat(agent).isLessThan(limit);
      clients.roundTrips(lab);
    }
  }

  @Test
  void twoThousandConnectionsFitIntoTwelveKibibytesEach() throws IOException {
    assertMemoryPerConnection(2_000);
  }

  @Test
  @Tag("long")
  void tenThousandConnectionsFitIntoTwelveKibibytesEach() throws IOException {
    assertMemoryPerConnection(10_000);
  }

  private void assertMemoryPerConnection(int count) throws IOException {
    try (EchoProcess service = EchoProcess.start();
        Lab lab = lab().expose("echo", service.address()).start()) {
      touchYoungGeneration(lab);
      try (Socket client = lab.connect("digest")) {
        assertThat(WARM_UP.digestedBy(client)).isEqualTo(WARM_UP.digest());
      }
      long gatewayBefore = lab.gateway().residentBytes();
      long agentBefore = lab.agent().residentBytes();
      try (Clients clients = Clients.connect(lab, "echo", count)) {
        long gateway = (lab.gateway().residentBytes() - gatewayBefore) / count;
        long agent = (lab.agent().residentBytes() - agentBefore) / count;
        System.out.printf(
            "%d connections: gateway %d, agent %d bytes each; before %d and %d in all%n",
            count, gateway, agent, gatewayBefore, agentBefore);
        assertThat(gateway).isLessThanOrEqualTo(LARGEST_CONNECTION);
        assertThat(agent).isLessThanOrEqualTo(LARGEST_CONNECTION);
        clients.roundTrips(lab);
      }
    }
  }

  /// Heap that was touched once stays resident. So connections come and go until they touch none
  /// that is new; what grows afterwards grew for connections that stay.
  private static void touchYoungGeneration(Lab lab) throws IOException {
    long before = resident(lab);
    for (int round = 0; round < MOST_ROUNDS; round++) {
      for (int i = 0; i < ROUND; i++) {
        try (Socket client = lab.connect("echo")) {
          lab.roundTrip(client);
        }
      }
      long now = resident(lab);
      if (now - before < SETTLED) {
        return;
      }
      before = now;
    }
  }

  private static long resident(Lab lab) {
    return lab.gateway().residentBytes() + lab.agent().residentBytes();
  }

  private Lab echo() {
    return lab().expose("echo", EchoService.start(Behaviour.echo())).start();
  }

  private Lab lab() {
    return Lab.in(directory)
        .agentVariable("PENSTOCK_AGENT_LINKS_COUNT", "1")
        .agentVariable("PENSTOCK_TUNNELS_TCP_MAX_CONNECTIONS", "20000")
        .expose("digest", EchoService.start(Behaviour.digest()));
  }
}
