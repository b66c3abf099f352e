package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.observe.OtlpReceiver;
import dev.penstock.observe.OtlpReceiver.Received;
import dev.penstock.testkit.EchoService.Behaviour;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The traces of connections through running programs.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class TracingSystemTest {
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(20));

  @TempDir Path directory;

  @Test
  void aConnectionIsOneTraceOverGatewayAndAgent() throws IOException {
    try (var collector = OtlpReceiver.start();
        Lab lab =
            Lab.in(directory)
                .variable("PENSTOCK_TRACING_ENDPOINT", collector.url())
                .variable("PENSTOCK_TRACING_SAMPLE_RATIO", "1")
                .expose("echo", EchoService.start(Behaviour.echo()))
                .start()) {
      String client;
      try (Socket socket = lab.connect("echo")) {
        client = "127.0.0.1:" + socket.getLocalPort();
        lab.roundTrip(socket);
      }
      Received gateway = connection(lab, collector, "penstock-gateway", client);
      Received agent = connection(lab, collector, "penstock-agent", client);
      assertThat(gateway.kind()).isEqualTo("SPAN_KIND_SERVER");
      assertThat(gateway.parent()).isEmpty();
      assertThat(agent.trace()).isEqualTo(gateway.trace());
      assertThat(agent.parent()).isEqualTo(gateway.id());
      assertThat(agent.attributes()).containsKey("penstock.target");
      assertThat(steps(collector, gateway))
          .containsExactlyInAnyOrder("accept", "choose", "dial", "first byte");
      assertThat(steps(collector, agent)).containsExactlyInAnyOrder("dial", "first byte");
      for (NodeProcess node : List.of(lab.gateway(), lab.agent())) {
        assertThat(node.log())
            .as(node::report)
            .anyMatch(line -> line.contains("traceId=\"" + gateway.trace() + "\""));
      }
    }
  }

  /// The client comes to the node that has no link.
  @Test
  void aRelayedConnectionIsOneTraceOverBothNodesAndTheAgent() throws Exception {
    try (var collector = OtlpReceiver.start();
        ClusterLab lab =
            ClusterLab.in(directory, 2)
                .withoutCuts()
                .agentLinks(1)
                .variable("PENSTOCK_TRACING_ENDPOINT", collector.url())
                .variable("PENSTOCK_TRACING_SAMPLE_RATIO", "1")
                .expose("echo", EchoService.start(Behaviour.echo()))
                .start()) {
      lab.startAgent(0);
      await("a link").atMost(PATIENCE).until(() -> lab.nodesWithLinks().size() == 1);
      int near = 1 - lab.nodesWithLinks().getFirst();
      await("it serves").atMost(PATIENCE).until(() -> lab.echoes(near, "echo"));
      String client;
      try (Socket socket = lab.connect(near, "echo")) {
        client = socket.getLocalAddress().getHostAddress() + ":" + socket.getLocalPort();
        socket.setSoTimeout((int) PATIENCE.toMillis());
        socket.getOutputStream().write('?');
        assertThat(socket.getInputStream().read()).isEqualTo('?');
      }
      List<Received> spans =
          await()
              .atMost(PATIENCE)
              .until(
                  () ->
                      collector.spans().stream()
                          .filter(
                              it -> client.equals(it.attributes().get("penstock.clientAddress")))
                          .toList(),
                  found -> found.size() == 3);
      Received first = spans.stream().filter(it -> it.parent().isEmpty()).findFirst().orElseThrow();
      Received relayed = childOf(first, spans);
      Received last = childOf(relayed, spans);
      assertThat(List.of(first.service(), relayed.service(), last.service()))
          .containsExactly("penstock-gateway", "penstock-gateway", "penstock-agent");
      assertThat(spans).extracting(Received::trace).containsOnly(first.trace());
      assertThat(last.attributes()).containsKey("penstock.target");
      assertThat(steps(collector, first)).contains("accept", "choose", "dial", "first byte");
      assertThat(steps(collector, last)).containsExactlyInAnyOrder("dial", "first byte");
      assertThat(lab.node(near).metric("penstock_gateway_relay_streams_total{", "\"out\""))
          .isPositive();
      for (NodeProcess node : List.of(lab.node(0), lab.node(1), lab.agent())) {
        await()
            .atMost(PATIENCE)
            .untilAsserted(() ->
                assertThat(node.log())
                    .as(node::report)
                    .anyMatch(line -> line.contains("traceId=\"" + first.trace() + "\"")));
      }
    }
  }

  private static Received childOf(Received parent, List<Received> spans) {
    assertThat(spans).anyMatch(it -> it.parent().equals(parent.id()));
    return spans.stream().filter(it -> it.parent().equals(parent.id())).findFirst().orElseThrow();
  }

  private static Received connection(
      Lab lab, OtlpReceiver collector, String service, String client) {
    await()
        .untilAsserted(() ->
            assertThat(collector.spans())
                .as(lab::report)
                .anyMatch(it -> it.service().equals(service) && isOf(it, client)));
    return collector.spans().stream()
        .filter(it -> it.service().equals(service) && isOf(it, client))
        .findFirst()
        .orElseThrow();
  }

  private static boolean isOf(Received span, String client) {
    return span.name().equals("connection")
        && client.equals(span.attributes().get("penstock.clientAddress"));
  }

  private static List<String> steps(OtlpReceiver collector, Received around) {
    return collector.spans().stream()
        .filter(it -> it.parent().equals(around.id()) && !it.name().equals("connection"))
        .map(Received::name)
        .toList();
  }
}
