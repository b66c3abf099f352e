package dev.penstock.gateway.leases.sharded;

import dev.penstock.gateway.leases.Reservation;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A block's reply to an operator's wish.
///
/// @param conflict why nothing was done; null when it was
/// @param reservations of the whole block
record ReservationReply(@Nullable String conflict, List<Reservation> reservations) implements Wire {
  ReservationReply {
    reservations = List.copyOf(reservations);
  }
}
