package dev.penstock.gateway.leases.sharded;

import java.io.IOException;

/// The database must not be used by this gateway; the operator has to give it another. The message
/// says why.
public final class StoreRefused extends IOException {
  StoreRefused(String message) {
    super(message);
  }
}
