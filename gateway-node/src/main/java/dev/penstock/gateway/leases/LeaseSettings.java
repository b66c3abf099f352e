package dev.penstock.gateway.leases;

import dev.penstock.config.ClusterName;
import dev.penstock.config.Kind;
import dev.penstock.config.PortRange;
import dev.penstock.config.Section;
import dev.penstock.gateway.leases.LeasePolicy.Reservation;
import dev.penstock.gateway.leases.LeasePolicy.Tenant;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;

/// Who may lease which ports, and how long a lease outlasts its tunnel. All nodes of a cluster are
/// told the same.
///
/// @param retention `leases.retention`: how long a port is kept for a tunnel that was deregistered,
///   0 s to 720 h; default 24 h
/// @param tenants `leases.tenants`: what single clusters may have; none by default
/// @param reservations `leases.reservations`: ports that only one cluster is given; none by default
public record LeaseSettings(
    Duration retention, List<Tenant> tenants, List<Reservation> reservations) {
  private static final int MAX_RANGES = 256;

  public LeaseSettings {
    tenants = List.copyOf(tenants);
    reservations = List.copyOf(reservations);
  }

  /// The section `leases`.
  public static LeaseSettings of(Section section) {
    return new LeaseSettings(
        section.get(
            "retention", Kind.duration(Duration.ZERO, Duration.ofDays(30)), Duration.ofHours(24)),
        tenants(section),
        reservations(section));
  }

  private static List<Tenant> tenants(Section section) {
    var clusters = new HashSet<String>();
    var tenants = new ArrayList<Tenant>();
    for (Section entry : section.sections("tenants")) {
      var cluster = entry.require("cluster", ClusterName.kind());
      if (!clusters.add(cluster)) {
        entry.refuse("cluster", "found \"" + cluster + "\" a second time", "each cluster once");
      }
      tenants.add(
          new Tenant(
              cluster,
              entry.list("ports", Kind.portRange(), MAX_RANGES),
              entry.get("max_tunnels", Kind.integer(0, 65_535), 0)));
    }
    return tenants;
  }

  private static List<Reservation> reservations(Section section) {
    var reservations = new ArrayList<Reservation>();
    for (Section entry : section.sections("reservations")) {
      var cluster = entry.require("cluster", ClusterName.kind());
      for (PortRange ports : entry.list("ports", Kind.portRange(), MAX_RANGES)) {
        for (Reservation other : reservations) {
          if (ports.first() <= other.ports().last() && other.ports().first() <= ports.last()) {
            entry.refuse(
                "ports", "found " + ports + " beside " + other.ports(), "each port in one place");
          }
        }
        reservations.add(new Reservation(cluster, ports));
      }
    }
    return reservations;
  }
}
