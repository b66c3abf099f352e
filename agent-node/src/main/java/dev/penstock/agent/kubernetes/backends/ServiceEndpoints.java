package dev.penstock.agent.kubernetes.backends;

import dev.penstock.access.Cidr;
import dev.penstock.agent.kubernetes.objects.EndpointSlice;
import dev.penstock.agent.kubernetes.objects.EndpointSlice.Endpoint;
import dev.penstock.agent.kubernetes.objects.EndpointSlice.Readiness;
import dev.penstock.agent.kubernetes.objects.Service;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/// The endpoints of one port of a Service that a connection may go to, read from its slices.
///
/// @param usable of the first family that has any, in no particular order
/// @param otherFamily of the other family, for when those cannot be reached
/// @param refused addresses that are there and must not be dialled
/// @param unready endpoints that are there and take no connections
record ServiceEndpoints(List<Target> usable, List<Target> otherFamily, int refused, int unready) {
  private static final String IPV6 = "IPv6";

  /// One endpoint.
  record Target(InetSocketAddress address, Endpoint endpoint) {}

  /// How far an endpoint is usable; smaller is better.
  private static final int READY = 0;

  private static final int LAST_RESORT = 1;

  static ServiceEndpoints of(
      Service service,
      List<EndpointSlice> slices,
      String portName,
      String protocol,
      DialGuard guard) {
    var v4 = new Family();
    var v6 = new Family();
    for (EndpointSlice slice : slices) {
      OptionalInt port = port(slice, portName, protocol);
      if (port.isPresent()) {
        switch (slice.addressType()) {
          case "IPv4" -> v4.add(service, slice, port.getAsInt(), guard);
          case IPV6 -> v6.add(service, slice, port.getAsInt(), guard);
          default -> {
            // Names would have to be looked up, and may lead anywhere.
          }
        }
      }
    }
    boolean isV6Preferred =
        !service.ipFamilies().isEmpty() && service.ipFamilies().getFirst().equals(IPV6);
    List<Target> first = (isV6Preferred ? v6 : v4).best();
    List<Target> second = (isV6Preferred ? v4 : v6).best();
    return new ServiceEndpoints(
        first.isEmpty() ? second : first,
        first.isEmpty() ? List.of() : second,
        v4.refused + v6.refused,
        v4.unready + v6.unready);
  }

  /// The endpoints of one family; one that is in two slices, as while it moves, counts once.
  private static final class Family {
    private final Map<InetSocketAddress, Target> ready = new LinkedHashMap<>();
    private final Map<InetSocketAddress, Target> lastResort = new LinkedHashMap<>();
    private int refused;
    private int unready;

    void add(Service service, EndpointSlice slice, int port, DialGuard guard) {
      for (Endpoint endpoint : slice.endpoints()) {
        OptionalInt rank = rank(service, endpoint.readiness());
        if (rank.isEmpty()) {
          unready++;
          continue;
        }
        Optional<InetAddress> address = address(endpoint);
        if (address.isEmpty() || guard.refuses(address.get())) {
          refused++;
          continue;
        }
        var at = new InetSocketAddress(address.get(), port);
        (rank.getAsInt() == READY ? ready : lastResort).putIfAbsent(at, new Target(at, endpoint));
      }
    }

    List<Target> best() {
      return new ArrayList<>((ready.isEmpty() ? lastResort : ready).values());
    }
  }

  private static OptionalInt rank(Service service, Readiness readiness) {
    if (service.notReady() == Service.NotReady.PUBLISHED) {
      return OptionalInt.of(READY);
    }
    return switch (readiness) {
      case READY -> OptionalInt.of(READY);
      case SERVING_WHILE_TERMINATING -> OptionalInt.of(LAST_RESORT);
      case NOT_READY -> OptionalInt.empty();
    };
  }

  /// All addresses of an endpoint are of one pod; the API says that the first is to be used.
  private static Optional<InetAddress> address(Endpoint endpoint) {
    return endpoint.addresses().isEmpty()
        ? Optional.empty()
        : literal(endpoint.addresses().getFirst());
  }

  /// An address by its text alone; never asks a name server.
  static Optional<InetAddress> literal(String text) {
    return text.contains("/") ? Optional.empty() : Cidr.parse(text).map(Cidr::network);
  }

  private static OptionalInt port(EndpointSlice slice, String name, String protocol) {
    return slice.ports().stream()
        .filter(port -> port.name().equals(name) && port.protocol().equals(protocol))
        .flatMap(port -> port.port().stream())
        .filter(port -> port >= 1 && port <= 0xffff)
        .mapToInt(Integer::intValue)
        .findFirst();
  }
}
