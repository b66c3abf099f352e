package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.observe.MetricsPage;
import dev.penstock.testkit.EchoService.Behaviour;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// What a scrape of running programs shows.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MetricsSystemTest {
  private static final int BYTES = 100_000;

  /// The sections of the page about each program.
  private static final List<String> GATEWAY =
      List.of("Gateway", "Leases", "Management", "Work that waits at a gateway");

  private static final List<String> AGENT =
      List.of("Agent", "Management", "Work that waits at an agent");

  @TempDir Path directory;

  @Test
  void everySeriesOfAScrapeIsOnThePageAndEveryOneWithoutLabelsIsThere() throws IOException {
    try (Lab lab = lab()) {
      assertThat(names(lab.gateway())).isSubsetOf(page(GATEWAY, MetricsSystemTest::any));
      assertThat(names(lab.gateway()))
          .containsAll(page(GATEWAY, series -> series.labels().isEmpty()));
      assertThat(names(lab.agent())).isSubsetOf(page(AGENT, MetricsSystemTest::any));
      assertThat(names(lab.agent())).containsAll(page(AGENT, series -> series.labels().isEmpty()));
    }
  }

  @Test
  void bytesAndConnectionsMoveWhileAConnectionIsOpen() throws IOException {
    try (Lab lab = lab();
        Socket client = lab.connect("echo")) {
      client.getOutputStream().write(new byte[BYTES]);
      assertThat(client.getInputStream().readNBytes(BYTES)).hasSize(BYTES);
      await()
          .untilAsserted(() -> {
            NodeProcess agent = lab.agent();
            assertThat(agent.metric("pipeops_agent_tcp_tunnel_active_connections")).isEqualTo(1);
            for (String direction : List.of("sent", "received")) {
              assertThat(agent.metric("pipeops_agent_tcp_tunnel_bytes_total", direction))
                  .isEqualTo(BYTES);
            }
            assertThat(agent.metric("pipeops_agent_yamux_active_streams")).isEqualTo(1);
            assertThat(agent.metrics()).containsEntry("pipeops_agent_connection_state", 2.0);
            NodeProcess gateway = lab.gateway();
            for (String direction : List.of("to_service", "to_client")) {
              assertThat(gateway.metric("penstock_gateway_bytes_total", direction))
                  .isEqualTo(BYTES);
            }
            assertThat(gateway.metric("penstock_gateway_first_byte_seconds_count")).isEqualTo(1);
            assertThat(agent.metric("penstock_agent_first_byte_seconds_count")).isEqualTo(1);
            assertThat(agent.metric("penstock_agent_dial_seconds_count")).isEqualTo(1);
            assertThat(agent.metric("penstock_agent_link_rtt_seconds_count")).isPositive();
            assertThat(agent.metric("pipeops_agent_heartbeat_success_total")).isPositive();
          });
    }
  }

  private Lab lab() {
    return Lab.in(directory).expose("echo", EchoService.start(Behaviour.echo())).start();
  }

  private static boolean any(MetricsPage.Series series) {
    return true;
  }

  private static Set<String> page(List<String> headings, Predicate<MetricsPage.Series> which)
      throws IOException {
    var names = new HashSet<String>();
    for (String heading : headings) {
      MetricsPage.section(heading).stream()
          .filter(which)
          .map(MetricsPage.Series::name)
          .forEach(names::add);
    }
    return names;
  }

  private static Set<String> names(NodeProcess node) {
    return node.metrics().keySet().stream()
        .map(series -> series.replaceAll("\\{.*", ""))
        .filter(name -> name.startsWith("penstock_") || name.startsWith("pipeops_"))
        .map(name -> name.replaceAll("_(bucket|sum|count)$", ""))
        .collect(Collectors.toSet());
  }
}
