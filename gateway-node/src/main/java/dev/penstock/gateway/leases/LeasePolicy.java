package dev.penstock.gateway.leases;

import dev.penstock.config.PortRange;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/// What each tenant may have: which ports, how many tunnels. Immutable.
public final class LeasePolicy {
  private final PortRange range;
  private final Quota quota;
  private final Map<String, Quota> quotas = new HashMap<>();
  private final Map<String, List<PortRange>> allowed = new HashMap<>();
  private final List<PortRange> allowedToOthers;
  private final List<Reservation> reservations;

  /// @param range of all public ports
  /// @param quota of a tenant that has none of its own
  /// @param tenants at most one entry for each tenant
  /// @param reservations no port twice; ports out of the range do not count
  public LeasePolicy(
      PortRange range, Quota quota, List<Tenant> tenants, List<Reservation> reservations) {
    this.range = range;
    this.quota = quota;
    this.reservations = List.copyOf(reservations);
    allowedToOthers = without(List.of(range), reservations);
    for (Tenant tenant : tenants) {
      if (tenant.maxTunnels() > 0) {
        quotas.put(tenant.cluster(), new Quota(tenant.maxTunnels(), quota.characters()));
      }
      if (!tenant.ports().isEmpty()) {
        allowed.put(tenant.cluster(), without(within(range, tenant.ports()), reservations));
      }
    }
    for (Reservation reservation : reservations) {
      var ports = new ArrayList<>(allowed.getOrDefault(reservation.cluster(), allowedToOthers));
      ports.addAll(within(range, List.of(reservation.ports())));
      allowed.put(reservation.cluster(), joined(ports));
    }
  }

  /// What one tenant may have in place of what all may.
  ///
  /// @param ports that it may be given beside those reserved for it; empty for those of the whole
  ///   range
  /// @param maxTunnels registered at a time; 0 for as many as any tenant
  public record Tenant(String cluster, List<PortRange> ports, int maxTunnels) {
    public Tenant {
      ports = List.copyOf(ports);
    }
  }

  /// Ports that only one tenant is given.
  public record Reservation(String cluster, PortRange ports) {}

  /// The whole range for everybody.
  public static LeasePolicy open(PortRange range, Quota quota) {
    return new LeasePolicy(range, quota, List.of(), List.of());
  }

  /// All public ports.
  public PortRange range() {
    return range;
  }

  /// How much a tenant may have.
  public Quota quota(String cluster) {
    return quotas.getOrDefault(cluster, quota);
  }

  /// The ports that a tenant may be given: in order, none twice, no two ranges that touch.
  public List<PortRange> allowed(String cluster) {
    return allowed.getOrDefault(cluster, allowedToOthers);
  }

  /// Whether a tenant may be given this port.
  public boolean allows(String cluster, int port) {
    return allowed(cluster).stream().anyMatch(ports -> ports.contains(port));
  }

  /// The ports that only one tenant is given.
  public List<Reservation> reservations() {
    return reservations;
  }

  /// The only tenant that is given this port; empty when all who may have it are.
  Optional<String> reservedFor(int port) {
    return reservations.stream()
        .filter(it -> it.ports().contains(port))
        .map(Reservation::cluster)
        .findFirst();
  }

  /// Why a tenant is not given a port that it may not have. Names no other tenant.
  public String refusal(String cluster, int port) {
    return "public port: "
        + port
        + (range.contains(port) ? " is not for this cluster" : "")
        + " (expected: one of "
        + describe(cluster)
        + ")";
  }

  /// A tenant's ports in words, such as `10000-35000`.
  public String describe(String cluster) {
    var ports = allowed(cluster);
    return ports.isEmpty()
        ? "none"
        : ports.stream().map(PortRange::toString).collect(Collectors.joining(", "));
  }

  private static List<PortRange> within(PortRange range, List<PortRange> ports) {
    var inside = new ArrayList<PortRange>();
    for (PortRange each : ports) {
      int first = Math.max(range.first(), each.first());
      int last = Math.min(range.last(), each.last());
      if (first <= last) {
        inside.add(new PortRange(first, last));
      }
    }
    return joined(inside);
  }

  private static List<PortRange> without(List<PortRange> ports, List<Reservation> reservations) {
    var left = ports;
    for (Reservation reservation : reservations) {
      var rest = new ArrayList<PortRange>();
      for (PortRange each : left) {
        int before = Math.min(each.last(), reservation.ports().first() - 1);
        int after = Math.max(each.first(), reservation.ports().last() + 1);
        if (each.first() <= before) {
          rest.add(new PortRange(each.first(), before));
        }
        if (after <= each.last()) {
          rest.add(new PortRange(after, each.last()));
        }
      }
      left = rest;
    }
    return joined(left);
  }

  private static List<PortRange> joined(List<PortRange> ports) {
    var joined = new ArrayList<PortRange>();
    for (PortRange next :
        ports.stream().sorted(Comparator.comparingInt(PortRange::first)).toList()) {
      PortRange last = joined.isEmpty() ? null : joined.getLast();
      if (last != null && next.first() <= last.last() + 1) {
        joined.set(
            joined.size() - 1, new PortRange(last.first(), Math.max(last.last(), next.last())));
      } else {
        joined.add(next);
      }
    }
    return List.copyOf(joined);
  }
}
