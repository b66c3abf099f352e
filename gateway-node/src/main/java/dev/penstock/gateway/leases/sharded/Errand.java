package dev.penstock.gateway.leases.sharded;

import dev.penstock.gateway.leases.LeaseRequest;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.leases.sharded.TenantEvent.Entry;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What a tenant has under way with the blocks, in rounds: a round is written down first, then its
/// asks are made, and when each is answered or has no answer in time, the next round follows, until
/// one is empty. One owner.
///
/// What is written down before a block is asked says that the tunnel may be there. So whatever is
/// lost on the way, a tunnel that may have a port in a block is looked for there first.
abstract class Errand {
  private final TenantBook book;
  private final Map<String, Entry> put = new LinkedHashMap<>();
  private final Set<String> removed = new HashSet<>();
  private final Map<String, @Nullable Entry> latest = new LinkedHashMap<>();

  Errand(TenantBook book) {
    this.book = book;
  }

  /// What to write down and then to ask.
  ///
  /// @param asks in this order when two are for one block
  record Round(TenantEvent.Changed changed, List<Ask> asks) {
    boolean isEmpty() {
      return asks.isEmpty() && changed.put().isEmpty() && changed.removed().isEmpty();
    }
  }

  /// A question to one block.
  sealed interface Ask {
    BlockId block();

    /// The tunnels' ports.
    record Lease(BlockId block, BlockBook.Need need, List<LeaseRequest> requests) implements Ask {}

    /// The tunnels' end.
    record Release(BlockId block, Purpose purpose, List<String> tunnelIds) implements Ask {}

    /// Why a tunnel ends in a block.
    enum Purpose {
      /// It ends altogether; its port is kept.
      END,
      /// It is in another block by now and had no port in this one.
      LEFTOVER
    }

    /// The end of a grant that a system refused to bind.
    ///
    /// @param before what the tunnel goes back to; null for nothing
    record Refuse(
        BlockId block, TunnelIdentity identity, long fencing, BlockEvent.@Nullable Held before)
        implements Ask {}
  }

  /// What follows from the answers so far. Only when none of the round before is open.
  final Round next() {
    var asks = plan();
    var changed = new TenantEvent.Changed(List.copyOf(put.values()), List.copyOf(removed));
    put.clear();
    removed.clear();
    return new Round(changed, asks);
  }

  abstract List<Ask> plan();

  /// The block has answered a [Ask.Lease].
  void leased(Ask.Lease ask, long attempt, List<BlockAnswer> answers, BlockBook.Room room) {
    throw new IllegalStateException("ask: a lease (expected: none)");
  }

  /// The block has done what [Ask.Release] or [Ask.Refuse] asked for.
  abstract void done(Ask ask, long attempt);

  /// Nothing is known of the ask.
  abstract void unanswered(Ask ask);

  /// The tunnel as it will be once everything is written down.
  final @Nullable Entry entry(String tunnelId) {
    return latest.containsKey(tunnelId) ? latest.get(tunnelId) : book.find(tunnelId);
  }

  final void put(Entry entry) {
    if (!entry.equals(entry(entry.tunnelId()))) {
      latest.put(entry.tunnelId(), entry);
      put.put(entry.tunnelId(), entry);
      removed.remove(entry.tunnelId());
    }
  }

  final void remove(String tunnelId) {
    if (entry(tunnelId) != null) {
      latest.put(tunnelId, null);
      put.remove(tunnelId);
      removed.add(tunnelId);
    }
  }

  /// One ask for each block.
  static List<Ask> releases(Map<BlockId, List<String>> tunnelIds, Ask.Purpose purpose) {
    var asks = new ArrayList<Ask>();
    tunnelIds.forEach((block, ids) -> asks.add(new Ask.Release(block, purpose, ids)));
    return asks;
  }
}
