package dev.penstock.config;

import java.net.InetSocketAddress;
import java.util.Optional;
import java.util.regex.Pattern;

/// A host name or IP address with a port, written `host:port` or `[v6 address]:port`.
///
/// @param host without brackets
/// @param port 0 to 65535; 0 lets the system choose when listening
public record HostPort(String host, int port) {
  private static final Pattern HOST = Pattern.compile("[A-Za-z0-9]([-A-Za-z0-9._]{0,252})");
  private static final Pattern IPV6 =
      Pattern.compile("[0-9A-Fa-f:.]{2,45}(%[-A-Za-z0-9._]{1,16})?");

  public HostPort {
    if (!isHost(host)) {
      throw new IllegalArgumentException(
          "host: " + host + " (expected: a host name or IP address)");
    }
    if (port < 0 || port > 65_535) {
      throw new IllegalArgumentException("port: " + port + " (expected: 0 to 65535)");
    }
  }

  /// Empty when the text is not of the form `host:port`.
  public static Optional<HostPort> parse(String text) {
    int colon = text.lastIndexOf(':');
    if (colon < 1) {
      return Optional.empty();
    }
    String host = text.substring(0, colon);
    boolean bracketed = host.startsWith("[") && host.endsWith("]");
    // Without brackets nobody can tell the port from the last group of an IPv6 address.
    if (bracketed != host.contains(":")) {
      return Optional.empty();
    }
    host = bracketed ? host.substring(1, host.length() - 1) : host;
    String port = text.substring(colon + 1);
    if (!isHost(host) || !port.matches("[0-9]{1,5}") || Integer.parseInt(port) > 65_535) {
      return Optional.empty();
    }
    return Optional.of(new HostPort(host, Integer.parseInt(port)));
  }

  /// Whether this is a host name or an IP address, by its characters; nothing is looked up.
  public static boolean isHost(String text) {
    return HOST.matcher(text).matches() || (text.contains(":") && IPV6.matcher(text).matches());
  }

  /// An address as people write it: host and port, an IPv6 address in brackets.
  public static String show(InetSocketAddress address) {
    String host =
        address.getAddress() == null
            ? address.getHostString()
            : address.getAddress().getHostAddress();
    return (host.indexOf(':') < 0 ? host : "[" + host + "]") + ":" + address.getPort();
  }

  /// Looks the host up, which may block.
  public InetSocketAddress resolve() {
    return new InetSocketAddress(host, port);
  }

  @Override
  public String toString() {
    return host.contains(":") ? "[" + host + "]:" + port : host + ":" + port;
  }
}
