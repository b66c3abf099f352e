package dev.penstock.gateway.links;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.control.ControlMessage.Register;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AgentKindTest {
  @ParameterizedTest
  @CsvSource(
      nullValues = "-",
      value = {
        "Go-http-client/1.1,    -,            ORIGINAL",
        "Go-http-client/2.0,    -,            ORIGINAL",
        "penstock-agent/1.0.0,  -,            EXTENDED",
        "penstock-agent/1.0.0,  udp-frames,   EXTENDED",
        // A proxy that has put its own name there does not make an original of our agent.
        "Go-http-client/1.1,    udp-frames,   EXTENDED",
        "some-proxy/2,          'x,y',        EXTENDED",
        "some-proxy/2,          '',           EXTENDED",
        "some-proxy/2,          -,            UNKNOWN",
        "not Go-http-client/1,  -,            UNKNOWN",
        "go-http-client/1.1,    -,            UNKNOWN",
        "-,                     -,            UNKNOWN"
      })
  void theUpgradeTells(String userAgent, String capabilities, AgentKind kind) {
    assertThat(AgentKind.of(userAgent, capabilities)).isEqualTo(kind);
  }

  @ParameterizedTest
  @CsvSource({
    "ORIGINAL, '', ORIGINAL",
    "UNKNOWN,  '', ORIGINAL",
    "EXTENDED, '', ORIGINAL",
    "ORIGINAL, streaming, ORIGINAL",
    "ORIGINAL, names_capabilities, EXTENDED",
    "UNKNOWN,  names_capabilities, EXTENDED",
    "EXTENDED, names_capabilities, EXTENDED"
  })
  void whatAnAgentRegistersWithCountsMore(AgentKind before, String feature, AgentKind after) {
    assertThat(Register.NAMES_CAPABILITIES).isEqualTo("names_capabilities");
    assertThat(before.registered(Set.of(feature))).isEqualTo(after);
  }
}
