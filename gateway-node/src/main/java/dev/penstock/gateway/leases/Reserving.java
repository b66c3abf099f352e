package dev.penstock.gateway.leases;

import dev.penstock.gateway.leases.LeaseAuthority.Away;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What became of a wish of an operator's that is about [Reservation]s.
public sealed interface Reserving {
  /// Done and written down.
  ///
  /// @param reservations that were asked for; those of the settings are not among them
  record Done(List<Reservation> reservations) implements Reserving {
    public Done {
      reservations = List.copyOf(reservations);
    }
  }

  /// Somebody else has the port.
  record Conflict(String text) implements Reserving {}

  /// It is not known whether anything came of it; the same may be asked for again.
  record Unavailable(Away away) implements Reserving {}

  /// Why a port cannot be reserved for a tenant; null when it can.
  ///
  /// @param holder the tenant whose tunnel has the port; null for none
  /// @param keptFor the tenant whose ended tunnel it is kept for; null for none
  /// @param reservedFor the tenant that it is reserved for already; null for none
  static @Nullable String conflict(
      LeasePolicy policy,
      String cluster,
      int port,
      @Nullable String holder,
      @Nullable String keptFor,
      @Nullable String reservedFor) {
    if (!policy.range().contains(port)) {
      return policy.refusal(cluster, port);
    }
    for (var obstacle :
        new Reservation.@Nullable Obstacle[] {
          obstacle(
              cluster,
              policy.reservedFor(port).orElse(null),
              Reservation.Obstacle.RESERVED_BY_SETTINGS),
          obstacle(cluster, reservedFor, Reservation.Obstacle.RESERVED),
          obstacle(cluster, holder, Reservation.Obstacle.TAKEN),
          obstacle(cluster, keptFor, Reservation.Obstacle.KEPT)
        }) {
      if (obstacle != null) {
        return obstacle.about(port);
      }
    }
    return null;
  }

  private static Reservation.@Nullable Obstacle obstacle(
      String cluster, @Nullable String other, Reservation.Obstacle obstacle) {
    return other == null || other.equals(cluster) ? null : obstacle;
  }
}
