package dev.penstock.access;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.Seeds;
import java.math.BigInteger;
import java.net.InetAddress;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class CidrTest {
  @ParameterizedTest(name = "{0} holds {1}: {2}")
  @CsvSource({
    "10.0.0.0/8, 10.255.255.255, true",
    "10.0.0.0/8, 11.0.0.0, false",
    "10.0.0.0/8, 9.255.255.255, false",
    "192.0.2.128/25, 192.0.2.128, true",
    "192.0.2.128/25, 192.0.2.127, false",
    "192.0.2.0/31, 192.0.2.1, true",
    "192.0.2.0/31, 192.0.2.2, false",
    "192.0.2.7/32, 192.0.2.7, true",
    "192.0.2.7, 192.0.2.7, true",
    "192.0.2.7, 192.0.2.6, false",
    "0.0.0.0/0, 255.255.255.255, true",
    "0.0.0.0/0, ::1, false",
    "0.0.0.0/1, 127.255.255.255, true",
    "0.0.0.0/1, 128.0.0.0, false",
    "::/0, 2001:db8::1, true",
    "::/0, 192.0.2.1, false",
    "::/0, ::ffff:192.0.2.1, false",
    "2001:db8::/32, 2001:db8:ffff::1, true",
    "2001:db8::/32, 2001:db9::, false",
    "2001:db8::/33, 2001:db8:8000::, false",
    "::1, ::1, true",
    "::1/128, ::2, false",
    "fe80::/10, febf::1, true",
    "fe80::/10, fec0::1, false",
    "::ffff:10.0.0.0/104, 10.1.2.3, true",
    "::ffff:10.0.0.0/104, 11.1.2.3, false",
    "10.0.0.0/8, ::ffff:10.1.2.3, true",
  })
  void aBlockHoldsTheAddressesWithItsPrefix(String block, String address, boolean held) {
    assertThat(Cidr.parse(block).orElseThrow().contains(InetAddress.ofLiteral(address)))
        .isEqualTo(held);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "/",
        "/8",
        "10",
        "10.0",
        "10.0.0",
        "10.0.0.0.0",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/08",
        "10.0.0.0/8/8",
        "10.0.0.0/255.0.0.0",
        "10.0.0.0/99999999999",
        "10.0.0.1/8",
        "010.0.0.0/8",
        "0x0a.0.0.0/8",
        "256.0.0.0/8",
        "10.0.0.0/8 ",
        "::/129",
        "2001:db8::1/64",
        "::ffff:10.0.0.0/95",
        "fe80::1%eth0",
        "[::1]",
        "1::2::3",
        ":::",
        "localhost",
        "example.com/8",
        "10.0.0.0/８",
      })
  void whatIsNoBlockIsRefused(String text) {
    assertThat(Cidr.parse(text)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"10.0.0.0/8", "192.0.2.7/32", "2001:db8:0:0:0:0:0:0/32"})
  void aBlockReadsAsWhatItWasReadFrom(String text) {
    assertThat(Cidr.parse(text)).hasToString("Optional[" + text + "]");
  }

  @Test
  void aBlockWithBitsBehindItsPrefixCannotBeMade() {
    assertThatThrownBy(() -> new Cidr(InetAddress.ofLiteral("10.0.0.1"), 31))
        .hasMessage("network: /10.0.0.1 (expected: no bit set behind the first 31)");
    assertThatThrownBy(() -> new Cidr(InetAddress.ofLiteral("::"), 129))
        .hasMessage("prefix: 129 (expected: 0..128)");
  }

  static LongStream seeds() {
    return Seeds.many();
  }

  @ParameterizedTest(name = "seed {0}")
  @MethodSource("seeds")
  void aBlockHoldsWhatShiftingSaysItHolds(long seed) throws Exception {
    var random = Seeds.random(seed);
    int size = random.nextBoolean() ? 4 : 16;
    byte[] bytes = new byte[size];
    random.nextBytes(bytes);
    int bits = size * 8;
    int prefix = random.nextInt(bits + 1);
    BigInteger number = new BigInteger(1, bytes);
    BigInteger network = number.shiftRight(bits - prefix).shiftLeft(bits - prefix);
    var block = new Cidr(address(network, size), prefix);
    assertThat(block.contains(address(number, size))).isTrue();
    if (prefix > 0) {
      int flipped = bits - 1 - random.nextInt(prefix);
      assertThat(block.contains(address(number.flipBit(flipped), size))).isFalse();
    }
  }

  private static InetAddress address(BigInteger number, int size) throws Exception {
    byte[] all = number.toByteArray();
    byte[] bytes = new byte[size];
    for (int i = 0; i < Math.min(size, all.length); i++) {
      bytes[size - 1 - i] = all[all.length - 1 - i];
    }
    return InetAddress.getByAddress(bytes);
  }
}
