package dev.penstock.protocol.net;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.control.CallerAddress;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Bytes typed by hand from haproxy's `doc/proxy-protocol.txt`, sections 2.1 and 2.2.
class ProxyHeaderTest {
  private static final String SIGNATURE = "0d0a0d0a000d0a515549540a";
  private static final CallerAddress FOUR = caller("192.0.2.7", 51234, "198.51.100.1", 15432);
  private static final CallerAddress SIX = caller("2001:db8::7", 1, "2001:db8::ffff", 65535);

  private static CallerAddress caller(String client, int port, String listener, int listenerPort) {
    return new CallerAddress(
        new InetSocketAddress(InetAddress.ofLiteral(client), port),
        new InetSocketAddress(InetAddress.ofLiteral(listener), listenerPort));
  }

  private static String hex(ByteBuffer bytes) {
    assertThat(bytes.hasArray()).isTrue();
    return HexFormat.of()
        .formatHex(
            bytes.array(),
            bytes.arrayOffset() + bytes.position(),
            bytes.arrayOffset() + bytes.limit());
  }

  private static String line(ProxyHeader version, CallerAddress caller) {
    return US_ASCII.decode(version.ofConnection(caller).orElseThrow()).toString();
  }

  @ParameterizedTest
  @CsvSource({
    "192.0.2.7, 51234, 198.51.100.1, 15432, PROXY TCP4 192.0.2.7 198.51.100.1 51234 15432",
    "255.255.255.255, 65535, 0.0.0.0, 0, PROXY TCP4 255.255.255.255 0.0.0.0 65535 0",
    "::ffff:192.0.2.7, 5, 198.51.100.1, 6, PROXY TCP4 192.0.2.7 198.51.100.1 5 6",
    "2001:db8::7, 1, 2001:db8::ffff, 65535, PROXY TCP6 2001:db8::7 2001:db8::ffff 1 65535",
    "192.0.2.7, 5, 2001:db8::1, 6, PROXY TCP6 0:0:0:0:0:ffff:c000:207 2001:db8::1 5 6",
    "2001:db8::1, 5, 192.0.2.7, 6, PROXY TCP6 2001:db8::1 0:0:0:0:0:ffff:c000:207 5 6",
  })
  void theFirstVersionIsALine(
      String client, int port, String listener, int listenerPort, String expected) {
    assertThat(line(ProxyHeader.V1, caller(client, port, listener, listenerPort)))
        .isEqualTo(expected + "\r\n");
  }

  @Test
  void aZoneIsNotSent() throws UnknownHostException {
    var linkLocal =
        Inet6Address.getByAddress(null, InetAddress.ofLiteral("fe80::1").getAddress(), 1);
    var address = new InetSocketAddress(linkLocal, 5);
    assertThat(line(ProxyHeader.V1, new CallerAddress(address, address)))
        .isEqualTo("PROXY TCP6 fe80::1 fe80::1 5 5\r\n");
  }

  @Test
  void theFirstVersionSaysThatTheCallerIsUnknown() {
    assertThat(line(ProxyHeader.V1, null)).isEqualTo("PROXY UNKNOWN\r\n");
  }

  @Test
  void theSecondVersionIsBinary() {
    assertThat(hex(ProxyHeader.V2.ofConnection(FOUR).orElseThrow()))
        .isEqualTo(SIGNATURE + "21" + "11" + "000c" + "c0000207" + "c6336401" + "c822" + "3c48");
    assertThat(hex(ProxyHeader.V2.ofConnection(SIX).orElseThrow()))
        .isEqualTo(
            SIGNATURE
                + "21"
                + "21"
                + "0024"
                + "20010db8000000000000000000000007"
                + "20010db800000000000000000000ffff"
                + "0001"
                + "ffff");
    assertThat(
            hex(
                ProxyHeader.V2
                    .ofConnection(caller("192.0.2.7", 1, "2001:db8::1", 2))
                    .orElseThrow()))
        .isEqualTo(
            SIGNATURE
                + "21"
                + "21"
                + "0024"
                + "00000000000000000000ffffc0000207"
                + "20010db8000000000000000000000001"
                + "0001"
                + "0002");
  }

  @Test
  void theSecondVersionSaysThatTheCallerIsUnknown() {
    assertThat(hex(ProxyHeader.V2.ofConnection(null).orElseThrow()))
        .isEqualTo(SIGNATURE + "20" + "00" + "0000");
  }

  @Test
  void aDatagramHasAHeaderOfItsOwnKind() {
    assertThat(hex(ProxyHeader.ofDatagram(FOUR)))
        .isEqualTo(SIGNATURE + "21" + "12" + "000c" + "c0000207" + "c6336401" + "c822" + "3c48");
    assertThat(hex(ProxyHeader.ofDatagram(SIX))).startsWith(SIGNATURE + "21" + "22" + "0024");
    assertThat(hex(ProxyHeader.ofDatagram(null))).isEqualTo(SIGNATURE + "20" + "00" + "0000");
  }

  @Test
  void whoWantsNoHeaderGetsNone() {
    assertThat(ProxyHeader.NONE.ofConnection(FOUR)).isEmpty();
    assertThat(ProxyHeader.NONE.ofConnection(null)).isEmpty();
  }
}
