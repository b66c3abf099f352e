package dev.penstock.protocol.control;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.protocol.Seeds;
import java.util.Map;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// [TunnelRegistration], [TunnelRegistered] and [Problem].
final class TunnelRegistrationTest {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private static final String ORIGINAL =
      """
      {"cluster_uuid":"6f1c","protocol":"tcp","tunnel_id":"tcp-6f1c-tcp-gateway-5432","gateway_name":"tcp-gateway",
      "gateway_namespace":"pipeops-system","gateway_port":5432,"service_name":"postgres",
      "service_namespace":"databases","service_port":5432,"routing_mode":"tunnel",
      "labels":{"pipeops.io/managed":"true"}}
      """;

  static LongStream seeds() {
    return Seeds.many();
  }

  @Test
  void theOriginalsRegistrationIsReadAndWritten() throws Exception {
    var expected =
        TunnelRegistration.of(Protocol.TCP, "tcp-6f1c-tcp-gateway-5432", "postgres", 5432)
            .cluster("6f1c")
            .gateway("pipeops-system", "tcp-gateway", 5432)
            .serviceNamespace("databases")
            .labels(Map.of("pipeops.io/managed", "true"))
            .build();
    assertThat(TunnelRegistration.decode(ORIGINAL.getBytes(UTF_8))).isEqualTo(expected);
    assertThat(MAPPER.readTree(expected.encode())).isEqualTo(MAPPER.readTree(ORIGINAL));
  }

  @Test
  void theLeastRegistrationHasTheDefaults() throws Exception {
    var tunnel =
        TunnelRegistration.decode(
            """
            {"protocol":"udp","tunnel_id":"u","service_name":"dns","service_port":53,"more":[1]}\
            """);
    assertThat(tunnel)
        .isEqualTo(TunnelRegistration.of(Protocol.UDP, "u", "dns", 53).build())
        .extracting(TunnelRegistration::routingMode, TunnelRegistration::gatewayPort)
        .containsExactly(RoutingMode.TUNNEL, 53);
  }

  @Test
  void everyFieldSurvivesTheWire() throws Exception {
    var tunnel =
        TunnelRegistration.of(Protocol.UDP, "a:b/c.d_e-1", "dns", 53)
            .cluster("c")
            .gateway("gns", "g", 1)
            .serviceNamespace("ns")
            .routingMode(RoutingMode.DUAL)
            .publicEndpoint("203.0.113.1:53")
            .labels(Map.of("l", "1"))
            .annotations(Map.of("a", "ä\n"))
            .tunnelPort(65535)
            .build();
    assertThat(TunnelRegistration.decode(tunnel.encode())).isEqualTo(tunnel);
  }

  /// Each row replaces one field of a registration that is right.
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          protocol|null|protocol: null (expected: a text of 1 to 253 characters)
          protocol|"sctp"|protocol: "sctp" (expected: tcp or udp)
          protocol|"TCP"|protocol: "TCP" (expected: tcp or udp)
          tunnel_id|""|tunnel_id: "" (expected: 1 to 253 of the characters A-Z a-z 0-9 . _ : / -)
          tunnel_id|"a b"|tunnel_id: "a b" (expected: 1 to 253 of the characters A-Z a-z 0-9 . _ : / -)
          tunnel_id|7|tunnel_id: 7 (expected: a text of at most 1048576 characters)
          service_name|"a\\u0000b"|service_name: "a?b" (expected: at most 253 printable characters)
          service_namespace|"a\\nb"|service_namespace: "a?b" (expected: at most 253 printable characters)
          service_port|65536|service_port: 65536 (expected: 0..65535)
          service_port|"5432"|service_port: "5432" (expected: 0..65535)
          service_port|54.5|service_port: 54.5 (expected: 0..65535)
          service_port|99999999999999999999|service_port: 99999999999999999999 (expected: 0..65535)
          gateway_port|-1|gateway_port: -1 (expected: 1..65535)
          tunnel_port|0|tunnel_port: 0 (expected: 1..65535)
          routing_mode|"up"|routing_mode: "up" (expected: direct, tunnel or dual)
          labels|["a"]|labels: an array (expected: an object)
          annotations|{"a":{}}|annotations.a: an object (expected: a text)
          """)
  void aHostileFieldIsRefusedWithItsReason(String field, String value, String reason)
      throws Exception {
    var node = (ObjectNode) MAPPER.readTree(ORIGINAL);
    node.set(field, MAPPER.readTree(value));
    assertThatThrownBy(() -> TunnelRegistration.decode(node.toString()))
        .isInstanceOf(MalformedMessage.class)
        .hasMessage(reason);
  }

  @Test
  void aListenerWithoutARouteIsATunnelWithoutAService() throws Exception {
    var node = (ObjectNode) MAPPER.readTree(ORIGINAL);
    node.put("service_name", "").put("service_port", 0);
    assertThat(TunnelRegistration.decode(node.toString()).hasService()).isFalse();
    assertThat(TunnelRegistration.decode(ORIGINAL).hasService()).isTrue();
    node.remove("gateway_port");
    assertThatThrownBy(() -> TunnelRegistration.decode(node.toString()))
        .hasMessage("gateway_port: missing (expected: 1..65535)");
  }

  @Test
  void whatASyncIsSilentAboutIsKept() throws Exception {
    var before =
        TunnelRegistration.of(Protocol.TCP, "t", "postgres", 5432)
            .gateway("ns", "old", 5432)
            .serviceNamespace("databases")
            .labels(Map.of("l", "1"))
            .annotations(Map.of("a", "2"))
            .tunnelPort(15_432)
            .publicEndpoint("192.0.2.1:5432")
            .build();
    var entry =
        TunnelRegistration.of(Protocol.TCP, "t", "", 0)
            .gateway("ns", "new", 5433)
            .routingMode(RoutingMode.DUAL)
            .build();
    assertThat(entry.keeping(before))
        .isEqualTo(
            TunnelRegistration.of(Protocol.TCP, "t", "postgres", 5432)
                .gateway("ns", "new", 5433)
                .serviceNamespace("databases")
                .routingMode(RoutingMode.DUAL)
                .labels(Map.of("l", "1"))
                .annotations(Map.of("a", "2"))
                .tunnelPort(15_432)
                .build());
    var whole =
        TunnelRegistration.of(Protocol.TCP, "t", "mysql", 3306).labels(Map.of("l", "3")).build();
    assertThat(whole.keeping(before).serviceName()).isEqualTo("mysql");
    assertThat(whole.keeping(before).serviceNamespace()).isEmpty();
    assertThat(whole.keeping(before).labels()).containsEntry("l", "3");
    assertThat(whole.keeping(before).annotations()).containsEntry("a", "2");
  }

  @Test
  void theLongestNamesAreTakenAndLongerOnesAreNot() throws Exception {
    String name = "n".repeat(253);
    var tunnel = TunnelRegistration.of(Protocol.TCP, name, name, 1).serviceNamespace(name).build();
    assertThat(TunnelRegistration.decode(tunnel.encode())).isEqualTo(tunnel);
    for (String field : new String[] {"tunnel_id", "service_name", "service_namespace"}) {
      var node = (ObjectNode) MAPPER.readTree(ORIGINAL);
      node.put(field, name + "n");
      assertThatThrownBy(() -> TunnelRegistration.decode(node.toString()))
          .isInstanceOf(MalformedMessage.class)
          .hasMessageStartingWith(field + ": \"nnn");
    }
  }

  @Test
  void aBodyThatIsTooLongOrNoTextIsNotRead() {
    assertThatThrownBy(() -> TunnelRegistration.decode(new byte[1024 * 1024 + 1]))
        .hasMessage("tunnel: 1048577 bytes (expected: at most 1048576 bytes)");
    assertThatThrownBy(() -> TunnelRegistration.decode(new byte[] {'{', (byte) 0xff, '}'}))
        .hasMessage("tunnel: no UTF-8 (expected: one JSON object in UTF-8)");
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void spoiltBodiesEndInARegistrationOrARefusal(long seed) {
    RandomGenerator random = Seeds.random(seed);
    for (int i = 0; i < 50; i++) {
      byte[] body = Spoilt.json(ORIGINAL, random);
      try {
        assertThat(TunnelRegistration.decode(body)).isNotNull();
      } catch (MalformedMessage expected) {
        assertThat(expected).hasMessageContaining("(expected: ");
      }
    }
  }

  @Test
  void theAnswerIsWrittenAsTheOriginalExpects() throws Exception {
    var answer =
        new TunnelRegistered("tcp-6f1c-tcp-gateway-5432", Protocol.TCP, 15432, "gw.example:15432");
    assertThat(MAPPER.readTree(answer.encode()))
        .isEqualTo(
            MAPPER.readTree(
                """
                {"tunnel_id":"tcp-6f1c-tcp-gateway-5432","protocol":"tcp","tunnel_port":15432,
                "tunnel_endpoint":"gw.example:15432"}\
                """));
    assertThat(TunnelRegistered.decode(answer.encode())).isEqualTo(answer);
  }

  @Test
  void anAnswerWithoutAPortIsRefused() {
    assertThatThrownBy(() -> TunnelRegistered.decode("{\"tunnel_id\":\"t\",\"protocol\":\"tcp\"}"))
        .hasMessage("tunnel_port: missing (expected: 1..65535)");
  }

  @Test
  void aProblemIsWrittenAndRead() throws Exception {
    var problem = new Problem("Conflict", 409, "tunnel_port: 15432 is taken (expected: another)");
    assertThat(MAPPER.readTree(problem.encode()))
        .isEqualTo(
            MAPPER.readTree(
                """
                {"type":"about:blank","title":"Conflict","status":409,
                "detail":"tunnel_port: 15432 is taken (expected: another)"}\
                """));
    assertThat(Problem.decode(problem.encode())).isEqualTo(problem);
    assertThat(Problem.decode("{}")).isEqualTo(new Problem("", 0, ""));
  }
}
