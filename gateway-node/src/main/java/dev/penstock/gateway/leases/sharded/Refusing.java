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
    return List.of(new Ask.Refuse(entry.block(), identity, fencing, before));
  }

  @Override
  void done(Ask ask, long attempt) {
    revision = attempt;
    if (before == null) {
      remove(identity.tunnelId());
    }
  }

  @Override
  void unanswered(Ask ask) {}
}
