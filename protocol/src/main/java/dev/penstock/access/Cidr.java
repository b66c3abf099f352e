package dev.penstock.access;

import dev.penstock.config.Kind;
import java.net.InetAddress;
import java.util.Optional;
import java.util.regex.Pattern;

/// A block of IP addresses, as `10.0.0.0/8`, `2001:db8::/32` or one address alone (RFC 4632, RFC
/// 4291 §2.3). An IPv4 block never holds an IPv6 address nor the reverse; an IPv4-mapped address
/// counts as the IPv4 address in it.
///
/// @param network the first address; every bit behind the prefix is 0
/// @param prefix bits that count, 0 to 32 or 0 to 128
public record Cidr(InetAddress network, int prefix) {
  static final String EXPECTED = "an address block such as 10.0.0.0/8 or 2001:db8::/32";

  private static final Pattern IPV4 =
      Pattern.compile("(?:0|[1-9][0-9]{0,2})(?:\\.(?:0|[1-9][0-9]{0,2})){3}");
  private static final Pattern IPV6 = Pattern.compile("[0-9A-Fa-f:.]{2,45}");
  private static final Pattern PREFIX = Pattern.compile("0|[1-9][0-9]{0,2}");
  private static final int MAPPED_BITS = 96;

  public Cidr {
    byte[] bytes = network.getAddress();
    if (prefix < 0 || prefix > bytes.length * 8) {
      throw new IllegalArgumentException(
          "prefix: " + prefix + " (expected: 0.." + bytes.length * 8 + ")");
    }
    for (int bit = prefix; bit < bytes.length * 8; bit++) {
      if ((bytes[bit / 8] & (0x80 >> (bit % 8))) != 0) {
        throw new IllegalArgumentException(
            "network: " + network + " (expected: no bit set behind the first " + prefix + ")");
      }
    }
  }

  /// Reads a block; empty when the text is none, or has bits set behind its prefix: such a block is
  /// more often a slip than meant. Never asks a name server.
  public static Optional<Cidr> parse(String text) {
    int slash = text.indexOf('/');
    String address = slash < 0 ? text : text.substring(0, slash);
    boolean six = address.indexOf(':') >= 0;
    if (!(six ? IPV6 : IPV4).matcher(address).matches()) {
      return Optional.empty();
    }
    try {
      InetAddress network = InetAddress.ofLiteral(address);
      int bits = network.getAddress().length * 8;
      int prefix = bits;
      if (slash >= 0) {
        String length = text.substring(slash + 1);
        if (!PREFIX.matcher(length).matches()) {
          return Optional.empty();
        }
        // A mapped address reads as IPv4: the prefix of its text counts the 96 bits before.
        prefix = Integer.parseInt(length) - (six && bits == 32 ? MAPPED_BITS : 0);
      }
      return Optional.of(new Cidr(network, prefix));
    } catch (IllegalArgumentException _) {
      return Optional.empty();
    }
  }

  /// How a setting says a block.
  public static Kind<Cidr> kind() {
    return Kind.of(EXPECTED, new Cidr(InetAddress.ofLiteral("127.0.0.1"), 32), Cidr::parse);
  }

  /// Whether the block holds the address.
  public boolean contains(InetAddress address) {
    byte[] ours = network.getAddress();
    byte[] theirs = address.getAddress();
    if (ours.length != theirs.length) {
      return false;
    }
    int whole = prefix / 8;
    for (int i = 0; i < whole; i++) {
      if (ours[i] != theirs[i]) {
        return false;
      }
    }
    int rest = prefix % 8;
    return rest == 0 || ((ours[whole] ^ theirs[whole]) & (0xff00 >> rest) & 0xff) == 0;
  }

  /// Reads as what [#parse] takes.
  @Override
  public String toString() {
    return network.getHostAddress() + "/" + prefix;
  }
}
