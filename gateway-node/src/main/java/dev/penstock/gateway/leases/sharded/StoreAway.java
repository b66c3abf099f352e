package dev.penstock.gateway.leases.sharded;

import java.io.IOException;

/// The database does not answer, or not yet: it is to be tried again. The message says how that
/// shows.
public final class StoreAway extends IOException {
  StoreAway(String message, Throwable cause) {
    super(message, cause);
  }
}
