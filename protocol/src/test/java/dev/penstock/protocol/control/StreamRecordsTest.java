package dev.penstock.protocol.control;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.Seeds;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// [StreamHeader] and [DialStatus].
final class StreamRecordsTest {
  private static final String POSTGRES =
      "01 01 15 38 00 08 70 6f 73 74 67 72 65 73 00 09 64 61 74 61 62 61 73 65 73 00 05 74 63 70 2d 31";

  static LongStream seeds() {
    return Seeds.many();
  }

  @Test
  void aHeaderHasTheOriginalsBytes() throws Exception {
    var header = new StreamHeader(Protocol.TCP, 5432, "postgres", "databases", "tcp-1", null);
    assertThat(hex(header.encode())).isEqualTo(POSTGRES);
    assertThat(new StreamHeaderDecoder().feed(bytes(POSTGRES))).isEqualTo(header);
  }

  @Test
  void aHeaderWithTheCallerHasTwoMoreTexts() throws Exception {
    var caller =
        new CallerAddress(
            new InetSocketAddress(InetAddress.ofLiteral("203.0.113.9"), 51514),
            new InetSocketAddress(InetAddress.ofLiteral("2001:db8::1"), 15353));
    var header = new StreamHeader(Protocol.UDP, 53, "d", "", "u", caller);
    String expected =
        "02 02 00 35 00 01 64 00 00 00 01 75 "
            + ("00 11 " + hex(ByteBuffer.wrap("203.0.113.9:51514".getBytes(UTF_8))) + " ")
            + ("00 1c " + hex(ByteBuffer.wrap("[2001:db8:0:0:0:0:0:1]:15353".getBytes(UTF_8))));
    assertThat(hex(header.encode())).isEqualTo(expected);
    assertThat(new StreamHeaderDecoder().feed(bytes(expected))).isEqualTo(header);
  }

  @Test
  void aRelayedHeaderCarriesTheClusterAndTheHopsAndOnlyANodeTakesIt() throws Exception {
    var caller =
        new CallerAddress(
            new InetSocketAddress("203.0.113.9", 51514), new InetSocketAddress("192.0.2.1", 53));
    var header =
        new StreamHeader(Protocol.UDP, 53, "d", "", "u", caller)
            .relayed(new StreamHeader.Relayed("lab", 1));
    String expected =
        "03 02 00 35 00 01 64 00 00 00 01 75 "
            + ("00 11 " + hex(ByteBuffer.wrap("203.0.113.9:51514".getBytes(UTF_8))) + " ")
            + ("00 0c " + hex(ByteBuffer.wrap("192.0.2.1:53".getBytes(UTF_8))) + " ")
            + "00 03 6c 61 62 01";
    assertThat(hex(header.encode())).isEqualTo(expected);
    var decoder = new StreamHeaderDecoder(StreamHeaderDecoder.Sender.NODE);
    StreamHeader read = null;
    for (byte one : header.encode().array()) {
      assertThat(read).isNull();
      read = decoder.feed(ByteBuffer.wrap(new byte[] {one}));
    }
    assertThat(read).isEqualTo(header);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          01|version: 1 (expected: 3 or 5)
          02|version: 2 (expected: 3 or 5)
          04|version: 4 (expected: 3 or 5)
          03 01 00 01 00 00 00 00 00 00 00 0c 31 39 32 2e 30 2e 32 2e 37 3a 38 30 00 0c 31 39 32 2e 30 2e 32 2e 37 3a 38 30 04 01|cluster: 1025 bytes (expected: at most 1024 bytes)
          03 01 00 01 00 00 00 00 00 00 00 0c 31 39 32 2e 30 2e 32 2e 37 3a 38 30 00 0c 31 39 32 2e 30 2e 32 2e 37 3a 38 30 00 01 61 00|hops: 0 (expected: 1..255)
          """)
  void aHostileHeaderOfANodeIsRefusedWithItsReason(String hex, String reason) {
    var decoder = new StreamHeaderDecoder(StreamHeaderDecoder.Sender.NODE);
    assertThatThrownBy(() -> decoder.feed(bytes(hex)))
        .isInstanceOf(MalformedMessage.class)
        .hasMessage(reason);
  }

  @Test
  void aTracedHeaderCarriesTheTraceBehindTheLastText() throws Exception {
    var caller =
        new CallerAddress(
            new InetSocketAddress("203.0.113.9", 51514), new InetSocketAddress("192.0.2.1", 53));
    var trace = TraceContext.of(0x0102030405060708L, 0x1112131415161718L, 0x2122232425262728L);
    var header = new StreamHeader(Protocol.UDP, 53, "d", "", "u", caller).traced(trace);
    String text = "00-01020304050607081112131415161718-2122232425262728-01";
    String common =
        "02 00 35 00 01 64 00 00 00 01 75 "
            + ("00 11 " + hex(ByteBuffer.wrap("203.0.113.9:51514".getBytes(UTF_8))) + " ")
            + ("00 0c " + hex(ByteBuffer.wrap("192.0.2.1:53".getBytes(UTF_8))) + " ");
    String end = "00 37 " + hex(ByteBuffer.wrap(text.getBytes(UTF_8)));
    assertThat(hex(header.encode())).isEqualTo("04 " + common + end);
    assertThat(new StreamHeaderDecoder().feed(header.encode())).isEqualTo(header);
    var relayed = header.relayed(new StreamHeader.Relayed("lab", 1));
    assertThat(hex(relayed.encode())).isEqualTo("05 " + common + "00 03 6c 61 62 " + end + " 01");
    assertThat(new StreamHeaderDecoder(StreamHeaderDecoder.Sender.NODE).feed(relayed.encode()))
        .isEqualTo(relayed);
    assertThat(header.traced(null))
        .isEqualTo(new StreamHeader(Protocol.UDP, 53, "d", "", "u", caller));
  }

  @Test
  void whoIsNotToldOfTheCallerIsNotToldOfTheTrace() {
    var header = new StreamHeader(Protocol.TCP, 53, "d", "", "u", null);
    assertThat(header.traced(TraceContext.of(1, 2, 3))).isEqualTo(header);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "00",
        "00-01020304050607081112131415161718-2122232425262728",
        "01-01020304050607081112131415161718-2122232425262728-01",
        "00-00000000000000000000000000000000-2122232425262728-01",
        "00-01020304050607081112131415161718-0000000000000000-01",
        "00-0102030405060708111213141516171X-2122232425262728-01",
        "00-01020304050607081112131415161718-2122232425262728-01-more",
        "00-01020304050607081112131415161718-2122232425262728-01\n",
        "00-0102030405060708111213141516171\u0661-2122232425262728-01",
      })
  void whatIsNoTraceIsRefused(String text) {
    assertThatThrownBy(() -> TraceContext.parse(text))
        .isInstanceOf(MalformedMessage.class)
        .hasMessageContaining("expected: a traceparent of version 00");
  }

  @Test
  void theZoneOfAnAddressStaysOnItsMachine() throws Exception {
    byte[] linkLocal = InetAddress.ofLiteral("fe80::1").getAddress();
    InetAddress zoned = Inet6Address.getByAddress(null, linkLocal, 3);
    assertThat(CallerAddress.format(new InetSocketAddress(zoned, 80)))
        .isEqualTo("[fe80:0:0:0:0:0:0:1]:80");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          00|version: 0 (expected: 1, 2 or 4)
          03|version: 3 (expected: 1, 2 or 4)
          05|version: 5 (expected: 1, 2 or 4)
          01 00|protocol: 0 (expected: 1 (TCP) or 2 (UDP))
          01 03|protocol: 3 (expected: 1 (TCP) or 2 (UDP))
          01 01 00 00|service_port: 0 (expected: 1..65535)
          01 01 00 01 04 01|service_name: 1025 bytes (expected: at most 1024 bytes)
          01 01 00 01 ff ff|service_name: 65535 bytes (expected: at most 1024 bytes)
          01 01 00 01 00 00 04 01|namespace: 1025 bytes (expected: at most 1024 bytes)
          01 01 00 01 00 02 c3 28|service_name: "Ã(" (expected: UTF-8)
          01 01 00 01 00 00 00 00 00 01 80|tunnel_id: "?" (expected: UTF-8)
          02 01 00 01 00 00 00 00 00 00 00 01 78 00 00|client: "x" (expected: an IP address and a port, as 192.0.2.7:80)
          """)
  void aHostileHeaderIsRefusedWithItsReason(String hex, String reason) {
    assertThatThrownBy(() -> new StreamHeaderDecoder().feed(bytes(hex)))
        .isInstanceOf(MalformedMessage.class)
        .hasMessage(reason);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        ":",
        "192.0.2.7",
        "192.0.2.7:",
        "192.0.2.7:65536",
        "192.0.2.7:-1",
        "192.0.2.7:123456",
        "192.0.2:80",
        "192.0.2.256:80",
        "[192.0.2.7]:80",
        "example.org:80",
        "a.b.c.d:80",
        "2001:db8::7:80",
        "[2001:db8::7]",
        "[2001:db8::7:80",
        "2001:db8::7]:80",
        "[2001:db8::g]:80",
        "[fe80::1%lo]:80",
        "[[::1]]:80",
        "[]:80",
        "::ffff:1.2.3.4:80",
        "192.0.2.7:8\u0660"
      })
  void onlyLiteralAddressesAreTaken(String text) {
    assertThatThrownBy(() -> CallerAddress.parse("client", text))
        .isInstanceOf(MalformedMessage.class);
  }

  @Test
  void whatIsTooLongForTheWireIsNotBuilt() {
    String long1 = "é".repeat(513);
    assertThatThrownBy(() -> new StreamHeader(Protocol.TCP, 1, long1, "", "", null))
        .hasMessage("serviceName: 1026 bytes (expected: at most 1024)");
    assertThatThrownBy(() -> new StreamHeader(Protocol.TCP, 65536, "", "", "", null))
        .hasMessage("servicePort: 65536 (expected: 1..65535)");
  }

  @ParameterizedTest
  @CsvSource({
    "CONNECTED, 0",
    "REFUSED, 1",
    "TIMED_OUT, 2",
    "UNREACHABLE, 3",
    "NAME_NOT_RESOLVED, 4",
    "UNKNOWN_TUNNEL, 5",
    "OVER_LIMIT, 6",
    "FAILED, 7"
  })
  void everyDialStatusKeepsItsCode(DialStatus.Code code, int number) throws Exception {
    var status = new DialStatus(code, "héllo");
    ByteBuffer encoded = status.encode();
    assertThat(hex(encoded.duplicate()))
        .isEqualTo("%02x 00 06 68 c3 a9 6c 6c 6f".formatted(number));
    assertThat(new DialStatusDecoder().feed(encoded)).isEqualTo(status);
  }

  @Test
  void aDialStatusIsNamedForMetrics() {
    assertThat(DialStatus.Code.NAME_NOT_RESOLVED.label()).isEqualTo("name_not_resolved");
  }

  @Test
  void aLongReasonIsCutBetweenTwoCharacters() {
    assertThat(new DialStatus(DialStatus.Code.FAILED, "a" + "😀".repeat(300)).text())
        .isEqualTo("a" + "😀".repeat(255));
    assertThat(new DialStatus(DialStatus.Code.FAILED, "x".repeat(1025)).text())
        .isEqualTo("x".repeat(1024));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          08|code: 8 (expected: 0..7)
          ff|code: 255 (expected: 0..7)
          00 04 01|text: 1025 bytes (expected: at most 1024 bytes)
          01 00 01 ff|text: "ÿ" (expected: UTF-8)
          """)
  void aHostileStatusIsRefusedWithItsReason(String hex, String reason) {
    assertThatThrownBy(() -> new DialStatusDecoder().feed(bytes(hex)))
        .isInstanceOf(MalformedMessage.class)
        .hasMessage(reason);
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void inAnyChunksARecordIsReadAndWhatFollowsIsLeft(long seed) throws Exception {
    RandomGenerator random = Seeds.random(seed);
    StreamHeader header = header(random);
    var headers = new StreamHeaderDecoder();
    assertThat(inChunks(random, header.encode(), headers::feed)).isEqualTo(header);
    assertThatThrownBy(() -> headers.feed(ByteBuffer.allocate(1)))
        .isInstanceOf(IllegalStateException.class);

    var codes = DialStatus.Code.values();
    var status = new DialStatus(codes[random.nextInt(codes.length)], text(random, 1500));
    assertThat(inChunks(random, status.encode(), new DialStatusDecoder()::feed)).isEqualTo(status);
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void anyBytesEndInARecordOrARefusal(long seed) {
    RandomGenerator random = Seeds.random(seed);
    for (int i = 0; i < 100; i++) {
      byte[] bytes;
      if (random.nextBoolean()) {
        bytes = new byte[random.nextInt(64)];
        random.nextBytes(bytes);
      } else {
        bytes = header(random).encode().array();
        bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
      }
      try {
        new StreamHeaderDecoder().feed(ByteBuffer.wrap(bytes));
        new DialStatusDecoder().feed(ByteBuffer.wrap(bytes));
      } catch (MalformedMessage expected) {
        assertThat(expected).hasMessageContaining("(expected: ");
      }
    }
  }

  private interface Decoder<T> {
    T feed(ByteBuffer bytes) throws MalformedMessage;
  }

  /// Feeds the record and ten bytes after it; asserts that the ten are left.
  private static <T> T inChunks(RandomGenerator random, ByteBuffer record, Decoder<T> decoder)
      throws MalformedMessage {
    int length = record.remaining();
    byte[] all = new byte[length + 10];
    record.get(all, 0, length);
    int at = 0;
    while (true) {
      int size = Math.min(random.nextInt(random.nextInt(1, 40)), all.length - at);
      ByteBuffer chunk = ByteBuffer.wrap(all, at, size);
      T result = decoder.feed(chunk);
      if (result != null) {
        assertThat(chunk.position()).isEqualTo(length);
        return result;
      }
      assertThat(chunk.hasRemaining()).isFalse();
      at += size;
      assertThat(at).isLessThan(length);
    }
  }

  private static StreamHeader header(RandomGenerator random) {
    return new StreamHeader(
        random.nextBoolean() ? Protocol.TCP : Protocol.UDP,
        random.nextInt(1, 65536),
        text(random, 250),
        text(random, 250),
        text(random, 250),
        random.nextBoolean() ? null : new CallerAddress(address(random), address(random)));
  }

  private static InetSocketAddress address(RandomGenerator random) {
    byte[] ip = new byte[random.nextBoolean() ? 4 : 16];
    random.nextBytes(ip);
    try {
      return new InetSocketAddress(InetAddress.getByAddress(ip), random.nextInt(65536));
    } catch (UnknownHostException e) {
      throw new AssertionError(e);
    }
  }

  private static String text(RandomGenerator random, int maxChars) {
    return random
        .ints(random.nextInt(maxChars), 0, 0x10ffff)
        .filter(c -> c < 0xd800 || c > 0xdfff)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }

  private static ByteBuffer bytes(String hex) {
    return ByteBuffer.wrap(HexFormat.ofDelimiter(" ").parseHex(hex));
  }

  private static String hex(ByteBuffer bytes) {
    byte[] copy = new byte[bytes.remaining()];
    bytes.get(copy);
    return HexFormat.ofDelimiter(" ").formatHex(copy);
  }
}
