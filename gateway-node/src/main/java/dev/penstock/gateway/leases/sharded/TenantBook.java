package dev.penstock.gateway.leases.sharded;

import dev.penstock.gateway.leases.sharded.TenantEvent.Entry;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// In which block each tunnel of one tenant is, and how much the tenant has; no store, no clock.
/// One owner.
final class TenantBook {
  private final Map<String, Entry> live = new LinkedHashMap<>();

  /// Those that have ended, in the order of their end.
  private final Map<String, Entry> released = new LinkedHashMap<>();

  private long characters;
  private int incarnation;

  static TenantBook of(TenantSnapshot snapshot) {
    var book = new TenantBook();
    book.incarnation = snapshot.incarnation();
    snapshot.entries().forEach(book::put);
    return book;
  }

  TenantSnapshot snapshot() {
    var entries = new ArrayList<Entry>(live.values());
    entries.addAll(released.values());
    return new TenantSnapshot(incarnation, entries);
  }

  /// How often the entity has started, written down.
  int incarnation() {
    return incarnation;
  }

  int tunnels() {
    return live.size();
  }

  /// Of the registrations of all live tunnels.
  long characters() {
    return characters;
  }

  @Nullable Entry find(String tunnelId) {
    Entry entry = live.get(tunnelId);
    return entry == null ? released.get(tunnelId) : entry;
  }

  /// Ended tunnels that need no longer be known: those whose time is over, and the oldest when
  /// there are too many.
  List<String> forgettable(long now, long retentionMillis, int maxReleased) {
    var over = new ArrayList<String>();
    int tooMany = released.size() - maxReleased;
    for (Entry entry : released.values()) {
      if (over.size() >= tooMany && now - entry.releasedAt() < retentionMillis) {
        break;
      }
      over.add(entry.tunnelId());
    }
    return over;
  }

  void apply(TenantEvent event) {
    switch (event) {
      case TenantEvent.Opened(int number) -> incarnation = number;
      case TenantEvent.Changed(var put, var removed) -> {
        removed.forEach(this::remove);
        put.forEach(this::put);
      }
    }
  }

  private void put(Entry entry) {
    remove(entry.tunnelId());
    if (entry.isLive()) {
      live.put(entry.tunnelId(), entry);
      characters += entry.characters();
    } else {
      released.put(entry.tunnelId(), entry);
    }
  }

  private void remove(String tunnelId) {
    Entry before = live.remove(tunnelId);
    if (before != null) {
      characters -= before.characters();
    }
    released.remove(tunnelId);
  }
}
