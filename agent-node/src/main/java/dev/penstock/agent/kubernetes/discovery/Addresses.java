package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.access.Cidr;
import dev.penstock.config.HostPort;
import java.net.InetAddress;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// What can be told from an address or host name without asking anybody.
final class Addresses {
  /// Blocks that are reached from nowhere else (RFC 6890 and the registries that it founded).
  private static final List<Cidr> PRIVATE =
      List.of(
              "0.0.0.0/8",
              "10.0.0.0/8",
              "100.64.0.0/10",
              "127.0.0.0/8",
              "169.254.0.0/16",
              "172.16.0.0/12",
              "192.0.0.0/24",
              "192.168.0.0/16",
              "198.18.0.0/15",
              "224.0.0.0/3",
              "::/127",
              "100::/64",
              "fc00::/7",
              "fe80::/10",
              "ff00::/8")
          .stream()
          .map(text -> Cidr.parse(text).orElseThrow())
          .toList();

  /// Names that only a cluster or a local network knows.
  private static final List<String> PRIVATE_SUFFIXES =
      List.of(
          ".local", ".localhost", ".internal", ".svc", ".lan", ".home.arpa", ".test", ".invalid");

  /// How the internal load balancers of a large provider are called.
  private static final String INTERNAL_PREFIX = "internal-";

  private Addresses() {}

  static boolean isLiteral(String host) {
    return literal(host).isPresent();
  }

  /// Whether clients anywhere can be expected to reach it.
  static boolean isPublic(String host) {
    return literal(host)
        .map(address -> PRIVATE.stream().noneMatch(block -> block.contains(address)))
        .orElseGet(() -> isPublicName(host.toLowerCase(Locale.ROOT)));
  }

  private static boolean isPublicName(String name) {
    return HostPort.isHost(name)
        && name.contains(".")
        && !name.startsWith(INTERNAL_PREFIX)
        && PRIVATE_SUFFIXES.stream().noneMatch(name::endsWith);
  }

  private static Optional<InetAddress> literal(String host) {
    return host.contains("/") ? Optional.empty() : Cidr.parse(host).map(Cidr::network);
  }
}
