package dev.penstock.protocol.control;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/// Who called a tunnel and where: what a backend learns through the PROXY protocol.
///
/// @param client the client's address, resolved
/// @param listener the public address that the client connected to, resolved
public record CallerAddress(InetSocketAddress client, InetSocketAddress listener) {
  public CallerAddress {
    requireResolved("client", client);
    requireResolved("listener", listener);
  }

  /// `192.0.2.7:5432` or `[2001:db8:0:0:0:0:0:7]:5432`, without the zone of a link-local address:
  /// it means nothing on another machine.
  static String format(InetSocketAddress address) {
    InetAddress ip = address.getAddress();
    String literal = ip.getHostAddress();
    if (ip instanceof Inet6Address) {
      int zone = literal.indexOf('%');
      literal = "[" + (zone < 0 ? literal : literal.substring(0, zone)) + "]";
    }
    return literal + ":" + address.getPort();
  }

  /// Reads what [#format] writes; never asks a name server.
  static InetSocketAddress parse(String field, String text) throws MalformedMessage {
    int colon = text.lastIndexOf(':');
    if (colon < 0) {
      throw malformed(field, text);
    }
    String host = text.substring(0, colon);
    String port = text.substring(colon + 1);
    boolean bracketed =
        host.startsWith("[") && host.indexOf(']') == host.length() - 1 && host.indexOf(':') > 0;
    boolean dotted = host.chars().filter(c -> c == '.').count() == 3;
    if (host.indexOf('%') >= 0
        || host.lastIndexOf('[') > 0
        || bracketed == (dotted && host.indexOf(':') < 0)
        || port.isEmpty()
        || port.length() > 5
        || !port.chars().allMatch(c -> c >= '0' && c <= '9')
        || Integer.parseInt(port) > 0xffff) {
      throw malformed(field, text);
    }
    try {
      String literal = bracketed ? host.substring(1, host.length() - 1) : host;
      return new InetSocketAddress(InetAddress.ofLiteral(literal), Integer.parseInt(port));
    } catch (IllegalArgumentException _) {
      throw malformed(field, text);
    }
  }

  private static MalformedMessage malformed(String field, String text) {
    return MalformedMessage.of(
        field, '"' + text + '"', "an IP address and a port, as 192.0.2.7:80");
  }

  private static void requireResolved(String name, InetSocketAddress address) {
    if (address.isUnresolved()) {
      throw new IllegalArgumentException(name + ": " + address + " (expected: a resolved address)");
    }
  }
}
