package dev.penstock.protocol.control;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.protocol.Seeds;
import dev.penstock.protocol.control.TunnelSync.Entry;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// [TunnelSync], [TunnelSyncAnswer] and [RegisteredTunnel].
final class TunnelSyncTest {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private static final String ENTRY =
      """
      {"cluster_uuid":"6f1c","protocol":"tcp","tunnel_id":"tcp-6f1c-g-5432","gateway_name":"g",
      "gateway_namespace":"ns","gateway_port":5432,"service_name":"","service_namespace":"","service_port":0,
      "routing_mode":"tunnel"}\
      """;

  static LongStream seeds() {
    return Seeds.many();
  }

  private static TunnelSync decode(String body) throws MalformedMessage {
    return TunnelSync.decode(body.getBytes(UTF_8));
  }

  @Test
  void theOriginalsSyncIsRead() throws Exception {
    var sync =
        decode("{\"cluster_uuid\":\"6f1c\",\"more\":{\"a\":[1]},\"tunnels\":[" + ENTRY + "]}");
    var expected =
        TunnelRegistration.of(Protocol.TCP, "tcp-6f1c-g-5432", "", 0)
            .cluster("6f1c")
            .gateway("ns", "g", 5432)
            .build();
    assertThat(sync).isEqualTo(new TunnelSync("6f1c", List.of(new Entry.Tunnel(expected))));
    assertThat(sync.isComplete()).isTrue();
    assertThat(decode("{\"tunnels\":[]}")).isEqualTo(new TunnelSync("", List.of()));
  }

  @Test
  void anEntryWithoutSenseSpoilsNoOther() throws Exception {
    var sync =
        decode(
            "{\"tunnels\":["
                + ENTRY
                + ",{\"tunnel_id\":\"t\",\"protocol\":\"sctp\"},7,null,[],{\"tunnel_id\":{}}]}");
    assertThat(sync.entries().subList(1, 6))
        .containsExactly(
            new Entry.Unreadable("t", "protocol: \"sctp\" (expected: tcp or udp)"),
            new Entry.Unreadable("", "tunnel: no object (expected: an object)"),
            new Entry.Unreadable("", "tunnel: no object (expected: an object)"),
            new Entry.Unreadable("", "tunnel: an array (expected: an object)"),
            new Entry.Unreadable(
                "", "protocol: missing (expected: a text of 1 to 253 characters)"));
    assertThat(sync.isComplete()).isFalse();
    assertThat(decode("{\"tunnels\":[{\"tunnel_id\":\"t\"}]}").isComplete()).isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          []|sync: no object (expected: one JSON object)
          {}|tunnels: missing (expected: an array of tunnels)
          {"tunnels":null}|tunnels: no array (expected: an array of tunnels)
          {"tunnels":{}}|tunnels: no array (expected: an array of tunnels)
          {"tunnels":[],"tunnels":[]}|tunnels: two of them (expected: one array of tunnels)
          {"tunnels":[]}{}|sync: more after its end (expected: one JSON object)
          {"cluster_uuid":7,"tunnels":[]}|cluster_uuid: 7 (expected: a text of at most 253 characters)
          """)
  void aBodyWithoutSenseIsRefusedWithItsReason(String body, String reason) {
    assertThatThrownBy(() -> decode(body)).isInstanceOf(MalformedMessage.class).hasMessage(reason);
  }

  @Test
  void aBodyThatEndsEarlyOrIsNoTextIsRefusedAsAWhole() {
    String whole = "{\"tunnels\":[" + ENTRY + "]}";
    for (int length = 0; length < whole.length(); length++) {
      String part = whole.substring(0, length);
      assertThatThrownBy(() -> decode(part)).isInstanceOf(MalformedMessage.class);
    }
    assertThatThrownBy(() -> TunnelSync.decode(new byte[] {'{', (byte) 0xff, '}'}))
        .hasMessage("sync: no UTF-8 (expected: one JSON object in UTF-8)");
    assertThatThrownBy(() -> TunnelSync.decode(new byte[TunnelSync.MAX_BYTES + 1]))
        .hasMessage("sync: 16777217 bytes (expected: at most 16777216 bytes)");
  }

  @Test
  void nestingAndNumberOfEntriesAreBounded() throws Exception {
    String deep = "{\"a\":".repeat(100_000) + "1" + "}".repeat(100_000);
    assertThatThrownBy(() -> decode("{\"tunnels\":[" + deep + "]}"))
        .isInstanceOf(MalformedMessage.class)
        .hasMessageContaining("(expected: one JSON object)");
    assertThatThrownBy(() -> decode("{\"x\":" + "[".repeat(100_000) + "}"))
        .isInstanceOf(MalformedMessage.class);
    String most = "{\"tunnels\":[0" + ",0".repeat(TunnelSync.MAX_ENTRIES - 1);
    assertThat(decode(most + "]}").entries()).hasSize(TunnelSync.MAX_ENTRIES);
    assertThatThrownBy(() -> decode(most + ",0]}"))
        .hasMessage("tunnels: more than 20000 (expected: at most 20000 in one sync)");
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void spoiltBodiesEndInASyncOrARefusal(long seed) {
    RandomGenerator random = Seeds.random(seed);
    for (int i = 0; i < 20; i++) {
      byte[] body = Spoilt.json("{\"tunnels\":[" + ENTRY + "," + ENTRY + "]}", random);
      try {
        assertThat(TunnelSync.decode(body)).isNotNull();
      } catch (MalformedMessage expected) {
        assertThat(expected).hasMessageContaining("(expected: ");
      }
    }
  }

  @Test
  void theAnswersAreWrittenAsTheOriginalExpects() throws Exception {
    var registration =
        TunnelRegistration.of(Protocol.TCP, "t", "postgres", 5432)
            .labels(Map.of("l", "1"))
            .publicEndpoint("192.0.2.1:5432")
            .tunnelPort(20_000)
            .build();
    var tunnel =
        new RegisteredTunnel(
            registration, 15_432, "gw.example:15432", 7, RegisteredTunnel.State.LISTENING);
    String json =
        """
        {"cluster_uuid":"","protocol":"tcp","tunnel_id":"t","gateway_name":"","gateway_namespace":"",
        "gateway_port":5432,"service_name":"postgres","service_namespace":"","service_port":5432,
        "routing_mode":"tunnel","public_endpoint":"192.0.2.1:5432","labels":{"l":"1"},
        "tunnel_port":15432,"tunnel_endpoint":"gw.example:15432","tunnel_fencing":7,"listening":true}\
        """;
    assertThat(MAPPER.readTree(tunnel.encode())).isEqualTo(MAPPER.readTree(json));
    assertThat(TunnelRegistered.decode(tunnel.encode()))
        .isEqualTo(new TunnelRegistered("t", Protocol.TCP, 15_432, "gw.example:15432"));
    assertThat(MAPPER.readTree(RegisteredTunnel.encodeAll(List.of(tunnel, tunnel))))
        .isEqualTo(MAPPER.readTree("[" + json + "," + json + "]"));
    assertThat(
            MAPPER.readTree(
                new TunnelSyncAnswer(
                        List.of(tunnel), List.of(new TunnelSyncAnswer.Rejected("u", "why")))
                    .encode()))
        .isEqualTo(
            MAPPER.readTree(
                "{\"accepted\":["
                    + json
                    + "],\"rejected\":[{\"tunnel_id\":\"u\",\"reason\":\"why\"}]}"));
  }

  @Test
  void aDirectTunnelIsToldWithoutAPort() throws Exception {
    var registration =
        TunnelRegistration.of(Protocol.UDP, "t", "dns", 53)
            .routingMode(RoutingMode.DIRECT)
            .publicEndpoint("192.0.2.1:53")
            .build();
    var tunnel =
        MAPPER.readTree(
            new RegisteredTunnel(registration, null, "", 0, RegisteredTunnel.State.NOT_LISTENING)
                .encode());
    assertThat(tunnel.has("tunnel_port")).isFalse();
    assertThat(tunnel.has("tunnel_endpoint")).isFalse();
    assertThat(tunnel.has("tunnel_fencing")).isFalse();
    assertThat(tunnel.get("public_endpoint").textValue()).isEqualTo("192.0.2.1:53");
  }
}
