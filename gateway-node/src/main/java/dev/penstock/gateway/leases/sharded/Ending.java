package dev.penstock.gateway.leases.sharded;

import dev.penstock.gateway.leases.sharded.TenantEvent.Entry;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Ends tunnels in the blocks that have them or may have them.
final class Ending extends Errand {
  private final List<String> tunnelIds;
  private final long now;
  private final long retentionMillis;
  private final Map<String, Integer> open = new HashMap<>();
  private final Map<String, Long> revisions = new HashMap<>();
  private final Set<String> failed = new HashSet<>();
  private boolean asked;

  /// @param now milliseconds since 1970
  /// @param forgettable ended tunnels that need not be known any longer
  Ending(
      TenantBook book,
      Collection<String> tunnelIds,
      Collection<String> forgettable,
      long now,
      long retentionMillis) {
    super(book);
    this.tunnelIds = List.copyOf(new HashSet<>(tunnelIds));
    this.now = now;
    this.retentionMillis = retentionMillis;
    forgettable.forEach(this::remove);
  }

  /// Whether every tunnel has ended.
  boolean isDone() {
    return failed.isEmpty();
  }

  /// Of those that lived.
  Map<String, Long> revisions() {
    return Map.copyOf(revisions);
  }

  @Override
  List<Ask> plan() {
    if (asked) {
      return List.of();
    }
    asked = true;
    var byBlock = new LinkedHashMap<BlockId, List<String>>();
    for (String tunnelId : tunnelIds) {
      Entry entry = entry(tunnelId);
      if (entry != null && entry.isLive()) {
        open.put(tunnelId, 1);
        byBlock.computeIfAbsent(entry.block(), _ -> new ArrayList<>()).add(tunnelId);
        BlockId previous = entry.previous();
        if (previous != null) {
          open.put(tunnelId, 2);
          byBlock.computeIfAbsent(previous, _ -> new ArrayList<>()).add(tunnelId);
        }
      }
    }
    return releases(byBlock, Ask.Purpose.END);
  }

  @Override
  void done(Ask ask, long attempt) {
    if (ask instanceof Ask.Release(_, _, var ids)) {
      for (String tunnelId : ids) {
        revisions.merge(tunnelId, attempt, Math::max);
        if (open.merge(tunnelId, -1, Integer::sum) == 0) {
          ended(tunnelId);
        }
      }
    }
  }

  private void ended(String tunnelId) {
    Entry entry = entry(tunnelId);
    if (entry == null) {
      return;
    }
    if (retentionMillis == 0) {
      remove(tunnelId);
    } else {
      put(new Entry(tunnelId, entry.block(), null, 0, now));
    }
  }

  @Override
  void unanswered(Ask ask) {
    if (ask instanceof Ask.Release(_, _, var ids)) {
      failed.addAll(ids);
    }
  }
}
