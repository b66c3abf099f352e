package dev.penstock.gateway.leases.sharded;

import java.util.List;

/// All that a [TenantBook] knows.
record TenantSnapshot(int incarnation, List<TenantEvent.Entry> entries) implements Wire {
  TenantSnapshot {
    entries = List.copyOf(entries);
  }
}
