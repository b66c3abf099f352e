package dev.penstock.protocol.control;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.protocol.Seeds;
import dev.penstock.protocol.control.ControlMessage.InTunnel;
import dev.penstock.protocol.control.TunnelMessage.Close;
import dev.penstock.protocol.control.TunnelMessage.Credit;
import dev.penstock.protocol.control.TunnelMessage.Data;
import dev.penstock.protocol.control.TunnelMessage.Dial;
import dev.penstock.protocol.control.TunnelMessage.Direction;
import dev.penstock.protocol.control.TunnelMessage.Mark;
import dev.penstock.protocol.control.TunnelMessage.Start;
import dev.penstock.protocol.control.TunnelMessage.UdpData;
import dev.penstock.protocol.control.TunnelMessage.Unreadable;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Messages of tunnels in JSON: the original's, ours, and what is neither.
final class TunnelCodecTest {
  private static final ControlCodec CODEC = new ControlCodec();
  private static final ObjectMapper MAPPER = new ObjectMapper();

  static LongStream seeds() {
    return Seeds.many();
  }

  private static StreamHeader header(Protocol protocol) {
    return new StreamHeader(
        protocol,
        5432,
        "postgres",
        "databases",
        "tcp-6f1c-tcp-gateway-5432",
        new CallerAddress(
            new InetSocketAddress("203.0.113.9", 51514),
            new InetSocketAddress("198.51.100.1", 15432)));
  }

  private static ByteBuffer bytes(String text) {
    return ByteBuffer.wrap(text.getBytes(UTF_8));
  }

  static Stream<Arguments> messages() {
    return Stream.of(
        Arguments.of(
            new Start("c-81", header(Protocol.TCP), 5432, Start.NO_CREDITS),
            """
            {"type":"tcp_tunnel_start","request_id":"c-81","payload":{"tunnel_id":"tcp-6f1c-tcp-gateway-5432",
            "gateway_port":5432,"service_name":"postgres","service_namespace":"databases","service_port":5432,
            "client_addr":"203.0.113.9:51514"}}
            """),
        Arguments.of(
            new Start("1", header(Protocol.UDP), 0, 262144),
            """
            {"type":"tcp_tunnel_start","request_id":"1","payload":{"tunnel_id":"tcp-6f1c-tcp-gateway-5432",
            "service_name":"postgres","service_namespace":"databases","service_port":5432,
            "client_addr":"203.0.113.9:51514","listener_addr":"198.51.100.1:15432","protocol":"udp",
            "credits":262144}}
            """),
        Arguments.of(
            Data.plain("c-81", bytes("done")),
            """
            {"type":"tcp_tunnel_data","request_id":"c-81","payload":{"data":"ZG9uZQ=="}}
            """),
        Arguments.of(
            new Data("7", Direction.TO_GATEWAY, bytes("done"), 12, Mark.FIN),
            """
            {"type":"tcp_tunnel_data","request_id":"7","payload":{"seq":12,"data":"ZG9uZQ==","fin":true,
            "direction":"agent_to_gateway"}}
            """),
        Arguments.of(
            new Close("c-81", "connection_failed", "dial tcp: refused"),
            """
            {"type":"tcp_tunnel_close","request_id":"c-81","payload":{"reason":"connection_failed",
            "error":"dial tcp: refused"}}
            """),
        Arguments.of(
            new Credit("7", 131072),
            """
            {"type":"tcp_tunnel_credit","request_id":"7","payload":{"credits":131072}}
            """),
        Arguments.of(
            new Dial("7", DialStatus.connected()),
            """
            {"type":"tcp_tunnel_dial","request_id":"7","payload":{"status":"connected"}}
            """),
        Arguments.of(
            new UdpData(
                "udp-6f1c-dns-53", Direction.TO_AGENT, bytes("one"), "203.0.113.9", 5353, 53),
            """
            {"type":"udp_tunnel_data","payload":{"tunnel_id":"udp-6f1c-dns-53","data":"b25l",
            "client_addr":"203.0.113.9","client_port":5353,"gateway_port":53}}
            """));
  }

  @ParameterizedTest
  @MethodSource("messages")
  void eachMessageHasItsForm(TunnelMessage message, String json) throws Exception {
    String encoded = CODEC.encode(new InTunnel(message));
    assertThat(MAPPER.readTree(encoded)).isEqualTo(MAPPER.readTree(json));
  }

  @Test
  void whatTheOriginalSendsIsUnderstood() throws Exception {
    assertThat(
            CODEC.decode(
                """
                {"type":"tcp_tunnel_data","request_id":"c-81","payload":{"data":"ZG9uZQ==",
                "direction":"agent_to_gateway"},"timestamp":"2026-11-21T02:45:22.0Z"}
                """))
        .isEqualTo(
            new InTunnel(
                new Data("c-81", Direction.TO_GATEWAY, bytes("done"), Data.NO_SEQ, Mark.MORE)));
    assertThat(
            CODEC.decode(
                """
                {"type":"tcp_tunnel_close","request_id":"c-81","payload":{"reason":"service_closed",
                "bytes_sent":12,"duration_ms":3},"timestamp":"2026-11-21T02:45:22.0Z"}
                """))
        .isEqualTo(new InTunnel(new Close("c-81", "service_closed", "")));
    assertThat(
            CODEC.decode(
                """
                {"type":"udp_tunnel_data","payload":{"client_addr":"203.0.113.9","client_port":5353,
                "data":"cmU6b25l","direction":"agent_to_gateway","tunnel_id":"udp-6f1c-dns-53"}}
                """))
        .isEqualTo(
            new InTunnel(
                new UdpData(
                    "udp-6f1c-dns-53",
                    Direction.TO_GATEWAY,
                    bytes("re:one"),
                    "203.0.113.9",
                    5353,
                    0)));
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void dataOfAnyKindComesBackAsItWasInEitherForm(long seed) throws Exception {
    RandomGenerator random = Seeds.random(seed);
    byte[] data = new byte[random.nextInt(1 << random.nextInt(1, 17))];
    random.nextBytes(data);
    String[] ids = {"1", "a\"b", "c\\\\", "grüß", "x".repeat(1024), "\u2028", "}}", "\n"};
    var message =
        new Data(
            ids[random.nextInt(ids.length)],
            random.nextBoolean() ? Direction.TO_AGENT : Direction.TO_GATEWAY,
            ByteBuffer.wrap(data),
            random.nextBoolean() ? Data.NO_SEQ : random.nextLong(Long.MAX_VALUE),
            random.nextBoolean() ? Mark.MORE : Mark.FIN);
    String encoded = CODEC.encode(new InTunnel(message));
    assertThat(CODEC.decode(encoded)).isEqualTo(new InTunnel(message));
    // White space and another order of keys: the JSON parser's way.
    assertThat(CODEC.decode(MAPPER.readTree(encoded).toPrettyString()))
        .isEqualTo(new InTunnel(message));
    ControlCodec.DataText around = CODEC.encodeAround(message);
    assertThat(encoded)
        .startsWith(UTF_8.decode(around.before()).toString())
        .endsWith(UTF_8.decode(around.after()).toString());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"data\":\"ZG9uZQ\"",
        "\"data\":\"ZG9uZQ=\"",
        "\"data\":\"ZG9u ZQ=\"",
        "\"data\":\"ZG9uZQ==\\n\"",
        "\"data\":\"Z*9uZQ==\"",
        "\"data\":\"Zg==Zg==\"",
        "\"data\":\"_-8=\"",
        "\"data\":\"grüß\"",
        "\"data\":7",
        "\"data\":[\"ZG9uZQ==\"]",
        "\"data\":{}",
        "\"data\":\"ZG9uZQ==\",\"seq\":-1",
        "\"data\":\"ZG9uZQ==\",\"seq\":\"1\"",
        "\"data\":\"ZG9uZQ==\",\"seq\":1.5",
        "\"data\":\"ZG9uZQ==\",\"seq\":99999999999999999999",
        "\"data\":\"ZG9uZQ==\",\"fin\":1"
      })
  void dataThatCannotBeReadIsItsStreamsFaultOnly(String fields) throws Exception {
    String text =
        "{\"type\":\"tcp_tunnel_data\",\"request_id\":\"7\",\"payload\":{" + fields + "}}";
    assertThat(CODEC.decode(text))
        .isInstanceOfSatisfying(
            InTunnel.class,
            message -> {
              assertThat(message.content()).isInstanceOf(Unreadable.class);
              assertThat(message.content().requestId()).isEqualTo("7");
            });
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "tcp_tunnel_start|{}",
        "tcp_tunnel_start|{\"service_port\":0}",
        "tcp_tunnel_start|{\"service_port\":\"5432\"}",
        "tcp_tunnel_start|{\"service_port\":1,\"credits\":-1}",
        "tcp_tunnel_start|{\"service_port\":1,\"protocol\":\"sctp\"}",
        "tcp_tunnel_start|{\"service_port\":1,\"client_addr\":\"x\",\"listener_addr\":\"y\"}",
        "tcp_tunnel_credit|{}",
        "tcp_tunnel_credit|{\"credits\":0}",
        "tcp_tunnel_credit|{\"credits\":1073741825}",
        "tcp_tunnel_dial|{}",
        "tcp_tunnel_dial|{\"status\":\"perhaps\"}",
        "tcp_tunnel_close|{\"reason\":5}",
        "udp_tunnel_data|{\"data\":\"b25l\"}",
        "udp_tunnel_data|{\"tunnel_id\":\"t\",\"data\":\"b25\"}",
        "udp_tunnel_data|{\"tunnel_id\":\"t\",\"client_port\":65536}"
      })
  void otherMessagesOfTunnelsThatCannotBeReadAreTheirStreamsFaultOnly(String row) throws Exception {
    int bar = row.indexOf('|');
    assertThat(
            CODEC.decode(
                "{\"type\":\""
                    + row.substring(0, bar)
                    + "\",\"request_id\":\"7\",\"payload\":"
                    + row.substring(bar + 1)
                    + "}"))
        .isInstanceOfSatisfying(
            InTunnel.class,
            message -> assertThat(message.content()).isInstanceOf(Unreadable.class));
  }
}
