package dev.penstock.gateway.leases.sharded;

import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.leases.sharded.TenantEvent.Entry;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Takes back a grant that a system refused to bind.
final class Refusing extends Errand {
  private final TunnelIdentity identity;
  private final long fencing;
  private final BlockEvent.@Nullable Held before;
  private boolean asked;
  private long revision;

  Refusing(
      TenantBook book, TunnelIdentity identity, long fencing, BlockEvent.@Nullable Held before) {
    super(book);
    this.identity = identity;
    this.fencing = fencing;
    this.before = before;
  }

  /// Of what the tunnel went back to; 0 when it is not known to have.
  long revision() {
    return revision;
  }

  @Override
  List<Ask> plan() {
    Entry entry = entry(identity.tunnelId());
    if (asked || entry == null || !entry.isLive()) {
      return List.of();
    }
    asked = true;
    var refuse = new Ask.Refuse(entry.block(), identity, fencing, before);
    BlockId previous = entry.previous();
    return previous == null
        ? List.of(refuse)
        : List.of(
            refuse, new Ask.Release(previous, Ask.Purpose.LEFTOVER, List.of(identity.tunnelId())));
  }

  @Override
  void done(Ask ask, long attempt) {
    Entry entry = entry(identity.tunnelId());
    if (entry == null) {
      return;
    }
    switch (ask) {
      case Ask.Refuse _ -> {
        revision = attempt;
        if (before == null) {
          goTo(entry, entry.previous());
        }
      }
      case Ask.Release(var block, _, _) ->
          goTo(entry, block.equals(entry.block()) ? null : entry.block());
      case Ask.Lease _ -> throw new IllegalStateException("ask: " + ask + " (expected: no lease)");
    }
  }

  /// @param block where the tunnel still is; null for nowhere
  private void goTo(Entry entry, @Nullable BlockId block) {
    if (block == null) {
      remove(entry.tunnelId());
    } else {
      put(new Entry(entry.tunnelId(), block, null, entry.characters(), entry.releasedAt()));
    }
  }

  @Override
  void unanswered(Ask ask) {}
}
