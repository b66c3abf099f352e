package dev.penstock.protocol.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.protocol.Seeds;
import dev.penstock.protocol.control.ControlMessage.ErrorMessage;
import dev.penstock.protocol.control.ControlMessage.GatewayHello;
import dev.penstock.protocol.control.ControlMessage.GatewayHelloAck;
import dev.penstock.protocol.control.ControlMessage.Heartbeat;
import dev.penstock.protocol.control.ControlMessage.HeartbeatAck;
import dev.penstock.protocol.control.ControlMessage.Ping;
import dev.penstock.protocol.control.ControlMessage.Pong;
import dev.penstock.protocol.control.ControlMessage.ProtocolFallback;
import dev.penstock.protocol.control.ControlMessage.Register;
import dev.penstock.protocol.control.ControlMessage.RegisterInProgress;
import dev.penstock.protocol.control.ControlMessage.RegisterSuccess;
import dev.penstock.protocol.control.ControlMessage.Unknown;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

final class ControlCodecTest {
  private static final ControlCodec CODEC = new ControlCodec();
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private static final String ORIGINAL_REGISTER =
      """
      {"type":"register","request_id":"req_1795229101707385738_agent-7f","payload":{"agent_id":"agent-7f",
      "agent_version":"1.0.0-dev","cloud_provider":"agent","features":{"supports_binary_protocol":true,
      "supports_compression":false},"hostname":"node-a","k8s_service_token":"secret","k8s_version":"v1.30.2+k3s1",
      "labels":{"hostname":"node-a"},"metadata":{"agent_mode":"vm-agent","registration_mode":"fresh"},"name":"lab",
      "region":"DE","server_ip":"198.51.100.7","server_specs":{"cpu_cores":2,"memory_gb":8},
      "tunnel_port_config":{"kubernetes_api":6443,"kubelet":10250,"agent_http":8080}},
      "timestamp":"2026-11-21T02:45:01.7Z"}
      """;

  static LongStream seeds() {
    return Seeds.many();
  }

  @Test
  void theOriginalsRegistrationIsUnderstood() throws Exception {
    assertThat(CODEC.decode(ORIGINAL_REGISTER))
        .isEqualTo(
            new Register(
                "req_1795229101707385738_agent-7f",
                "agent-7f",
                "lab",
                "1.0.0-dev",
                "node-a",
                Map.of("hostname", "node-a"),
                Map.of("agent_mode", "vm-agent", "registration_mode", "fresh"),
                Set.of("supports_binary_protocol"),
                ""));
  }

  @Test
  void aRegistrationHasTheFieldsThatTheOriginalAlwaysSends() throws Exception {
    var register =
        new Register("r1", "a", "n", "0.1", "h", Map.of("k", "v"), Map.of(), Set.of("f"), "");
    assertJson(
        register,
        """
        {"type":"register","request_id":"r1","payload":{"agent_id":"a","name":"n","k8s_version":"","hostname":"h",
        "agent_version":"0.1","server_ip":"","region":"","cloud_provider":"","tunnel_port_config":
        {"kubernetes_api":6443,"kubelet":10250,"agent_http":8080},"labels":{"k":"v"},"server_specs":{},
        "features":{"f":true},"metadata":{}}}
        """);
  }

  @Test
  void aRegistrationIsAnsweredAsTheOriginalExpects() throws Exception {
    var success =
        new RegisterSuccess("r1", "6f1c", "6f1c", "lab", "registered", 1L, "wss://gw.example/ws");
    assertJson(
        success,
        """
        {"type":"register_success","request_id":"r1","payload":{"cluster_id":"6f1c","cluster_uuid":"6f1c",
        "name":"lab","status":"registered","workspace_id":1,"gateway_ws_url":"wss://gw.example/ws"}}
        """);
  }

  @Test
  void withoutAGatewayTheAnswerLeavesItsFieldsOut() throws Exception {
    assertJson(
        new RegisterSuccess("r1", "c", "c", "", "", null, null),
        """
        {"type":"register_success","request_id":"r1",
        "payload":{"cluster_id":"c","cluster_uuid":"c","name":"","status":""}}
        """);
  }

  @Test
  void anAnswerWithoutUuidHasTheClustersId() throws Exception {
    assertThat(
            CODEC.decode(
                """
                {"type":"register_success","payload":{"cluster_id":"c","gateway_ws_url":""}}\
                """))
        .isEqualTo(new RegisterSuccess("", "c", "c", "", "", null, null));
  }

  @Test
  void theOriginalsHeartbeatIsUnderstood() throws Exception {
    assertThat(
            CODEC.decode(
                """
                {"type":"heartbeat","payload":{"agent_id":"agent-7f","cluster_id":"6f1c","metadata":
                {"agent_version":"1.0.0-dev","cpu_usage":"0%","gateway_routes":0,"is_private":true},
                "status":"healthy","tunnel_status":"connected"},"timestamp":"2026-11-21T02:45:31Z"}
                """))
        .isEqualTo(new Heartbeat("6f1c", "agent-7f", "healthy", "connected", "1.0.0-dev"));
  }

  @Test
  void aHelloWithoutExtensionsEqualsTheOriginals() throws Exception {
    assertJson(
        new GatewayHello(true, 262144, Duration.ofSeconds(30), Duration.ofSeconds(30), Set.of()),
        """
        {"type":"gateway_hello","payload":{"use_yamux":true,"yamux_config":{"max_stream_window_size":262144,
        "keep_alive_interval_seconds":30,"connection_timeout_seconds":30}}}
        """);
  }

  @Test
  void aHelloNamesItsExtensions() throws Exception {
    assertJson(
        new GatewayHelloAck(true, Set.of(Capability.DRAIN, Capability.UDP_FRAMES)),
        """
        {"type":"gateway_hello_ack","payload":{"use_yamux":true,"capabilities":["udp-frames","drain"]}}
        """);
  }

  @Test
  void aHelloWithoutSettingsHasTheDefaults() throws Exception {
    assertThat(CODEC.decode("{\"type\":\"gateway_hello\",\"payload\":{\"use_yamux\":true}}"))
        .isEqualTo(
            new GatewayHello(
                true, 262144, Duration.ofSeconds(30), Duration.ofSeconds(30), Set.of()));
  }

  @Test
  void extensionsThatAreNotKnownAreIgnored() throws Exception {
    assertThat(
            CODEC.decode(
                """
                {"type":"gateway_hello_ack","payload":{"use_yamux":true,"capabilities":["teleport","drain"]}}\
                """))
        .isEqualTo(new GatewayHelloAck(true, Set.of(Capability.DRAIN)));
  }

  @Test
  void partsOfASecondAreRoundedUp() throws Exception {
    var hello =
        new GatewayHello(true, 262144, Duration.ofMillis(200), Duration.ofMillis(1200), Set.of());
    assertThat(CODEC.decode(CODEC.encode(hello)))
        .isEqualTo(
            new GatewayHello(true, 262144, Duration.ofSeconds(1), Duration.ofSeconds(2), Set.of()));
  }

  @Test
  void theOriginalsFallbackIsUnderstood() throws Exception {
    assertThat(
            CODEC.decode(
                """
                {"type":"protocol_fallback","payload":{"agent_version":"pipeops-k8-agent",
                "fallback_mode":"legacy_proxy","original_request_id":"r2","protocol_version":"1.0",
                "supported_types":["register_success","pong"],"timestamp":"2026-11-21T02:45:02Z",
                "unknown_type":"bogus_type"},"timestamp":"2026-11-21T02:45:02.6Z"}
                """))
        .isEqualTo(new ProtocolFallback("bogus_type", List.of("register_success", "pong")));
  }

  @Test
  void aTypeThatIsNotKnownIsTold() throws Exception {
    assertThat(
            CODEC.decode("{\"type\":\"proxy_request\",\"request_id\":\"r\",\"payload\":{\"a\":1}}"))
        .isEqualTo(new Unknown("proxy_request", "r"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          '{"type":"heartbeat_ack"}'
          '{"type":"heartbeat_ack","payload":null,"request_id":null,"timestamp":17}'
          '{"type":"heartbeat_ack","payload":{"x":[1,{}]},"timestamp":"","more":true}'
          """)
  void theEnvelopeIsReadLeniently(String text) throws Exception {
    assertThat(CODEC.decode(text + "\n")).isEqualTo(new HeartbeatAck());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          ''|message: missing (expected: one JSON object)
          'hello'|message: no JSON at line 1, column 1 in hello (expected: one JSON object, nested at most 32 deep)
          '{"type":"ping"} {}'|message: no JSON at line 1, column 17 in {"type":"ping"} {} (expected: one JSON object, nested at most 32 deep)
          '[]'|message: an array (expected: one JSON object)
          'null'|message: null (expected: one JSON object)
          '{}'|type: missing (expected: a text of 1 to 1024 characters)
          '{"type":null}'|type: null (expected: a text of 1 to 1024 characters)
          '{"type":7}'|type: 7 (expected: a text of at most 1024 characters)
          '{"type":"ping","request_id":7}'|request_id: 7 (expected: a text of at most 1024 characters)
          '{"type":"ping","payload":[]}'|payload: an array (expected: an object)
          '{"type":"ping","payload":"x"}'|payload: "x" (expected: an object)
          '{"type":"ping","payload":{"timestamp":true}}'|payload.timestamp: true (expected: a text of at most 1024 characters)
          '{"type":"register","payload":{"labels":{"a":1}}}'|payload.labels.a: 1 (expected: a text)
          '{"type":"register","payload":{"features":true}}'|payload.features: true (expected: an object)
          '{"type":"register_success","payload":{}}'|payload.cluster_id: missing (expected: a text of 1 to 1024 characters)
          '{"type":"register_success","payload":{"cluster_id":"c","workspace_id":"1"}}'|payload.workspace_id: "1" (expected: a whole number from -9223372036854775808)
          '{"type":"heartbeat","payload":{"metadata":[]}}'|payload.metadata: an array (expected: an object)
          '{"type":"gateway_hello","payload":{"use_yamux":"yes"}}'|payload.use_yamux: "yes" (expected: true or false)
          '{"type":"gateway_hello","payload":{"yamux_config":{"max_stream_window_size":65536}}}'|payload.yamux_config.max_stream_window_size: 65536 (expected: 262144..1073741824)
          '{"type":"gateway_hello","payload":{"yamux_config":{"max_stream_window_size":"262144"}}}'|payload.yamux_config.max_stream_window_size: "262144" (expected: 262144..1073741824)
          '{"type":"gateway_hello","payload":{"yamux_config":{"keep_alive_interval_seconds":0}}}'|payload.yamux_config.keep_alive_interval_seconds: 0 (expected: 1..86400)
          '{"type":"gateway_hello","payload":{"yamux_config":{"connection_timeout_seconds":1e400}}}'|payload.yamux_config.connection_timeout_seconds: Infinity (expected: 1..86400)
          '{"type":"gateway_hello_ack","payload":{"capabilities":"drain"}}'|payload.capabilities: "drain" (expected: an array of texts)
          '{"type":"gateway_hello_ack","payload":{"capabilities":[1]}}'|payload.capabilities: 1 among its members (expected: an array of texts)
          """)
  void aHostileTextIsRefusedWithItsReason(String text, String reason) {
    assertThatThrownBy(() -> CODEC.decode(text))
        .isInstanceOf(MalformedMessage.class)
        .hasMessage(reason);
  }

  @Test
  void aTextThatIsTooLongIsNotRead() {
    assertThatThrownBy(() -> new ControlCodec(10).decode("{\"type\":\"ping\"}"))
        .hasMessage("message: 15 characters (expected: at most 10 characters)");
  }

  @Test
  void deepNestingIsRefused() {
    String text = "{\"type\":\"ping\",\"x\":" + "[".repeat(500_000);
    assertThatThrownBy(() -> CODEC.decode(text)).isInstanceOf(MalformedMessage.class);
  }

  @Test
  void aRefusalEchoesNeitherMuchNorLineBreaks() {
    String long1 = "A".repeat(5000);
    for (String text :
        List.of(
            long1,
            "{\"type\":\"ping\",\"payload\":\"" + long1 + "\"}",
            "{\"type\":\"ping\",\"request_id\":[\"" + long1 + "\"]}",
            "{\"type\":\"register\",\"payload\":{\"labels\":{\"" + long1 + "\":[]}}}",
            "{\"type\":\"register\",\"payload\":{\"labels\":{\"a\\nb\\u2028\":false}}}")) {
      assertThatThrownBy(() -> CODEC.decode(text))
          .isInstanceOf(MalformedMessage.class)
          .message()
          .hasSizeLessThan(250)
          .doesNotContain("\n", "\u2028")
          .doesNotContain("A".repeat(101));
    }
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void whatIsEncodedIsDecodedToTheSame(long seed) throws Exception {
    RandomGenerator random = Seeds.random(seed);
    ControlMessage message = message(random);
    assertThat(CODEC.decode(CODEC.encode(message))).isEqualTo(message);
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void spoiltTextsEndInAMessageOrARefusal(long seed) {
    RandomGenerator random = Seeds.random(seed);
    for (int i = 0; i < 50; i++) {
      var text =
          new StringBuilder(random.nextInt(8) == 0 ? noise(random) : CODEC.encode(message(random)));
      for (int edits = random.nextInt(1, 6); edits > 0 && !text.isEmpty(); edits--) {
        int at = random.nextInt(text.length());
        switch (random.nextInt(4)) {
          case 0 -> text.deleteCharAt(at);
          case 1 -> text.insert(at, "{}[]\",:0-e\\u.tn".charAt(random.nextInt(15)));
          case 2 -> text.setCharAt(at, (char) random.nextInt(0x10000));
          default -> text.append(text, at, text.length());
        }
      }
      try {
        assertThat(CODEC.decode(text.toString())).isNotNull();
      } catch (MalformedMessage expected) {
        assertThat(expected).hasMessageContaining("(expected: ");
      }
    }
  }

  private static void assertJson(ControlMessage message, String expected) throws Exception {
    String encoded = CODEC.encode(message);
    assertThat(MAPPER.readTree(encoded)).isEqualTo(MAPPER.readTree(expected));
    assertThat(CODEC.decode(encoded)).isEqualTo(message);
  }

  private static ControlMessage message(RandomGenerator random) {
    return switch (random.nextInt(16)) {
      case 0 ->
          new Register(
              text(random),
              text(random),
              text(random),
              text(random),
              text(random),
              Map.of(text(random), text(random)),
              Map.of(text(random), text(random)),
              Set.of(text(random)),
              text(random));
      case 1 -> new RegisterInProgress(text(random));
      case 2 ->
          new RegisterSuccess(
              text(random),
              "c" + text(random),
              "u" + text(random),
              text(random),
              text(random),
              random.nextBoolean() ? random.nextLong() : null,
              random.nextBoolean() ? "w" + text(random) : null);
      case 3 -> new Heartbeat(text(random), text(random), text(random), text(random), text(random));
      case 4 -> new HeartbeatAck();
      case 5 -> new Ping(text(random), text(random));
      case 6 -> new Pong(text(random), text(random));
      case 7 -> new ErrorMessage(text(random));
      case 8 ->
          new GatewayHello(
              random.nextBoolean(),
              random.nextInt(GatewayHello.MIN_WINDOW, GatewayHello.MAX_WINDOW),
              Duration.ofSeconds(random.nextInt(1, 86_401)),
              Duration.ofSeconds(random.nextInt(1, 86_401)),
              capabilities(random));
      case 9 -> new GatewayHelloAck(random.nextBoolean(), capabilities(random));
      case 10 -> new ControlMessage.Nodes(nodes(random));
      case 11 -> new ControlMessage.Drain();
      case 12 -> new ControlMessage.Drained();
      case 13 ->
          new GatewayHello(
                  true,
                  GatewayHello.MIN_WINDOW,
                  Duration.ofSeconds(1),
                  Duration.ofSeconds(1),
                  Set.of())
              .telling("node-" + random.nextInt(9), nodes(random));
      case 14 -> new ProtocolFallback(text(random), List.of("a" + text(random), "b"));
      default -> new Unknown("t" + text(random), text(random));
    };
  }

  private static List<GatewayNode> nodes(RandomGenerator random) {
    return random
        .ints(random.nextInt(4), 0, 100)
        .mapToObj(
            i -> new GatewayNode("n" + i, i % 3 == 0 ? "" : "ws://10.0.0." + i + text(random)))
        .toList();
  }

  private static Set<Capability> capabilities(RandomGenerator random) {
    Set<Capability> some = EnumSet.allOf(Capability.class);
    some.removeIf(_ -> random.nextBoolean());
    return some;
  }

  private static String text(RandomGenerator random) {
    return random
        .ints(random.nextInt(12), 0, 0x10ffff)
        .map(c -> random.nextBoolean() ? c % 128 : c)
        .filter(c -> c < 0xd800 || c > 0xdfff)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }

  private static String noise(RandomGenerator random) {
    return random
        .ints(random.nextInt(200), 0, 0x10000)
        .collect(StringBuilder::new, (b, c) -> b.append((char) c), StringBuilder::append)
        .toString();
  }
}
