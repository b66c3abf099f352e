package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.protocol.control.CarrierChoice;
import dev.penstock.testkit.EchoService.Behaviour;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What carries tunnels, by the settings of both ends.
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ProtocolSystemTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  @TempDir Path directory;

  private Lab lab(CarrierChoice gateway, CarrierChoice agent) {
    return Lab.in(directory)
        .carriers(gateway)
        .agentVariable("PENSTOCK_TUNNELS_PROTOCOL", agent.label())
        .expose("echo", EchoService.start(Behaviour.echo()));
  }

  @ParameterizedTest
  @CsvSource({
    "AUTO,  AUTO,  yamux",
    "AUTO,  YAMUX, yamux",
    "YAMUX, AUTO,  yamux",
    "YAMUX, YAMUX, yamux",
    "AUTO,  JSON,  json",
    "JSON,  AUTO,  json",
    "JSON,  JSON,  json"
  })
  void bothEndsUseWhatBothMay(CarrierChoice gateway, CarrierChoice agent, String used) {
    try (Lab lab = lab(gateway, agent).start()) {
      assertThat(lab.echoes("echo")).as(lab::report).isTrue();
      assertThat(lines(lab.gateway(), "a link is up"))
          .isNotEmpty()
          .allMatch(line -> line.contains("protocol=\"" + used + "\""));
      assertThat(lines(lab.agent(), "a link is up"))
          .isNotEmpty()
          .allMatch(line -> line.contains("protocol=\"" + used + "\""));
    }
  }

  @ParameterizedTest
  @CsvSource({"YAMUX, JSON, yamux, json", "JSON, YAMUX, json, yamux"})
  void endsWithNothingInCommonSayWhatEachIsSetTo(
      CarrierChoice gateway, CarrierChoice agent, String ofGateway, String ofAgent) {
    try (Lab lab = lab(gateway, agent)) {
      lab.startGateway().awaitReady();
      lab.startAgent();
      String why =
          "no protocol in common for tunnels: this gateway is set to %s and the agent uses %s"
              .formatted(ofGateway, ofAgent);
      await()
          .atMost(PATIENCE)
          .untilAsserted(() -> {
            assertThat(lines(lab.gateway(), why)).as(lab::report).isNotEmpty();
            assertThat(lines(lab.agent(), "no protocol in common with the gateway"))
                .as(lab::report)
                .anyMatch(line -> line.contains("tunnels.protocol=\"" + ofAgent + "\""));
            assertThat(lines(lab.agent(), "1008: " + why)).as(lab::report).isNotEmpty();
            assertThat(lab.gateway().metric("penstock_gateway_rejected_total", "no_common"))
                .isPositive();
          });
      assertThat(lab.agent().isReady()).isFalse();
      assertThat(lab.gateway().isReady()).isTrue();
      assertThat(lab.echoes("echo")).isFalse();
    }
  }

  private static java.util.List<String> lines(NodeProcess node, String part) {
    return node.log().stream().filter(line -> line.contains(part)).toList();
  }
}
