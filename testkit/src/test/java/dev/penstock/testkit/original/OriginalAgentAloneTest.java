package dev.penstock.testkit.original;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The fake keeps the original's rules, as far as they show without a gateway.
class OriginalAgentAloneTest {
  @Test
  void textsEndWithANewlineSortTheirKeysAndEscapeAsGoDoes() {
    String text = OriginalJson.encode("t", "r", Map.of("b", "<&>", "a", Map.of("d", 1, "c", 2)));
    assertThat(text)
        .startsWith(
            "{\"type\":\"t\",\"request_id\":\"r\",\"payload\":{\"a\":{\"c\":2,\"d\":1},"
                + "\"b\":\"\\u003c\\u0026\\u003e\"},\"timestamp\":\"")
        .endsWith("\"}\n");
    assertThat(OriginalJson.encode("t", "", Map.of())).doesNotContain("request_id");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"type\":\"ping\"}",
        "{\"type\":\"ping\",\"payload\":null,\"timestamp\":null}",
        "{\"type\":\"ping\",\"payload\":{},\"timestamp\":\"2026-11-21T02:45:01.7Z\"}",
        "{\"type\":\"ping\",\"timestamp\":\"2026-11-21T02:45:01+01:00\"}"
      })
  void messagesOfUseAreTaken(String text) {
    assertThat(OriginalJson.decode(text)).isNotNull();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "no JSON",
        "[]",
        "{\"type\":\"ping\",\"payload\":[]}",
        "{\"type\":\"ping\",\"payload\":\"x\"}",
        "{\"type\":\"ping\",\"timestamp\":1795229101}",
        "{\"type\":\"ping\",\"timestamp\":\"\"}"
      })
  void otherMessagesAreDropped(String text) {
    assertThat(OriginalJson.decode(text)).isNull();
  }

  @Test
  void aRegistrationHasEveryFieldAndASyncHasLostTheService() {
    var tunnel = OriginalTunnel.of("tcp", 5432, "postgres", "databases", 5432);
    assertThat(OriginalJson.body(tunnel.full("6f1c")))
        .isEqualTo(
            "{\"cluster_uuid\":\"6f1c\",\"protocol\":\"tcp\","
                + "\"tunnel_id\":\"tcp-6f1c-tcp-gateway-5432\",\"gateway_name\":\"tcp-gateway\","
                + "\"gateway_namespace\":\"pipeops-system\",\"gateway_port\":5432,"
                + "\"service_name\":\"postgres\",\"service_namespace\":\"databases\","
                + "\"service_port\":5432,\"routing_mode\":\"tunnel\","
                + "\"labels\":{\"pipeops.io/managed\":\"true\"}}");
    assertThat(OriginalJson.body(tunnel.withoutService("6f1c")))
        .contains("\"service_name\":\"\"", "\"service_port\":0")
        .doesNotContain("labels");
  }

  @Test
  void whatItSaysItSupportsIsLessThanItDoes() {
    assertThat(OriginalMessages.KNOWN).contains("gateway_hello", "tcp_tunnel_start");
    assertThat((List<?>) OriginalMessages.fallback("x", "r").get("supported_types"))
        .isNotEmpty()
        .noneMatch("gateway_hello"::equals);
  }
}
