package dev.penstock.agent.kubernetes.backends;

import dev.penstock.access.Cidr;
import java.net.InetAddress;
import java.util.List;

/// Which addresses are never dialled for a Service, whoever wrote them into a slice: those of the
/// agent's own machine, of its link, and those at which clouds tell a machine its secrets.
final class DialGuard {
  private static final List<Cidr> METADATA =
      List.of("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
          .stream()
          .map(text -> Cidr.parse(text).orElseThrow())
          .toList();

  private final List<Cidr> allowed;

  DialGuard(List<Cidr> allowed) {
    this.allowed = List.copyOf(allowed);
  }

  boolean refuses(InetAddress address) {
    boolean isDangerous =
        address.isLoopbackAddress()
            || address.isLinkLocalAddress()
            || address.isAnyLocalAddress()
            || address.isMulticastAddress()
            || isThisNetworkOrReserved(address)
            || METADATA.stream().anyMatch(block -> block.contains(address));
    return isDangerous && allowed.stream().noneMatch(block -> block.contains(address));
  }

  /// `0.0.0.0/8` reaches the own machine on some systems; from `240.0.0.0` on there is no unicast.
  private static boolean isThisNetworkOrReserved(InetAddress address) {
    byte[] bytes = address.getAddress();
    return bytes.length == 4 && (bytes[0] == 0 || (bytes[0] & 0xf0) == 0xf0);
  }
}
