package dev.penstock.gateway.leases.sharded;

import dev.penstock.config.PortRange;
import dev.penstock.gateway.leases.LeasePolicy;
import dev.penstock.gateway.leases.LeaseRequest;
import dev.penstock.gateway.leases.PortWish;
import dev.penstock.gateway.leases.Quota;
import dev.penstock.gateway.leases.sharded.BlockAnswer.Known;
import dev.penstock.gateway.leases.sharded.BlockBook.Need;
import dev.penstock.gateway.leases.sharded.TenantAnswer.Refusal;
import dev.penstock.gateway.leases.sharded.TenantEvent.Entry;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Finds the block for each of some tunnels: the one that has it; else that of the port it wants;
/// else the one of its preferred port and, when that is full, the blocks above, around the end of
/// the range.
final class Placement extends Errand {
  private final LeasePolicy policy;
  private final Rooms rooms;
  private final Map<String, Item> items = new LinkedHashMap<>();
  private final Map<BlockId, List<String>> leftovers = new LinkedHashMap<>();
  private int tunnels;
  private long characters;

  /// What is believed to be left in the blocks; only to ask the right ones first. One owner.
  static final class Rooms {
    private final Map<BlockId, BlockBook.Room> known = new HashMap<>();

    void learn(BlockId block, BlockBook.Room room) {
      known.put(block, room);
    }

    void forgetAll() {
      known.clear();
    }

    private int free(BlockId block) {
      var room = known.get(block);
      return room == null ? BlockId.SIZE : room.free();
    }

    private int kept(BlockId block) {
      var room = known.get(block);
      return room == null ? BlockId.SIZE : room.kept() + room.free();
    }

    private void take(BlockId block) {
      known.computeIfPresent(
          block,
          (_, room) ->
              room.free() > 0
                  ? new BlockBook.Room(room.free() - 1, room.kept())
                  : new BlockBook.Room(0, Math.max(0, room.kept() - 1)));
    }
  }

  /// One request on its way.
  private static final class Item {
    final LeaseRequest request;

    /// What the tenant knew of the tunnel before.
    final @Nullable Entry original;

    final Set<BlockId> tried = new HashSet<>();
    Need need = Need.ORDINARY;
    boolean homeAsked;
    @Nullable TenantAnswer answer;

    Item(LeaseRequest request, @Nullable Entry original) {
      this.request = request;
      this.original = original;
    }

    String id() {
      return request.identity().tunnelId();
    }

    int size() {
      return request.registration().length();
    }
  }

  /// @param requests no two of one identity, all of the book's tenant
  Placement(TenantBook book, List<LeaseRequest> requests, LeasePolicy policy, Rooms rooms) {
    super(book);
    this.policy = policy;
    this.rooms = rooms;
    tunnels = book.tunnels();
    characters = book.characters();
    for (LeaseRequest request : requests) {
      var item = new Item(request, book.find(request.identity().tunnelId()));
      items.put(item.id(), item);
      item.answer = refusal(item);
      if (item.answer == null) {
        count(item);
      }
    }
  }

  /// One for each request, in their order; complete after the last round.
  List<TenantAnswer> answers() {
    return items.values().stream()
        .<TenantAnswer>map(
            item -> item.answer == null ? new TenantAnswer.Unavailable() : item.answer)
        .toList();
  }

  private @Nullable TenantAnswer refusal(Item item) {
    Entry original = item.original;
    boolean live = original != null && original.isLive();
    if (original != null && live && original.block().transport() != item.request.transport()) {
      return new TenantAnswer.Refused(
          Refusal.CONFLICT,
          "protocol: "
              + label(item.request)
              + " (expected: "
              + original.block().transport().name().toLowerCase(Locale.ROOT)
              + ", as the tunnel was registered, or another tunnel_id)");
    }
    if (item.size() > Quota.MAX_CHARACTERS) {
      return overQuota(
          "registration: "
              + item.size()
              + " characters (expected: at most "
              + Quota.MAX_CHARACTERS
              + ")");
    }
    Quota quota = policy.quota(item.request.identity().cluster());
    if (!live && tunnels >= quota.tunnels()) {
      return overQuota(
          "tunnels: "
              + tunnels
              + " of this cluster are registered (expected: at most "
              + quota.tunnels()
              + ")");
    }
    int more = item.size() - (original == null || !live ? 0 : original.characters());
    if (more > 0 && characters + more > quota.characters()) {
      return overQuota(
          "labels and annotations: too long, with those of the cluster's other tunnels (expected: at"
              + " most "
              + quota.characters()
              + " characters in all)");
    }
    return null;
  }

  private static TenantAnswer overQuota(String text) {
    return new TenantAnswer.Refused(Refusal.OVER_QUOTA, text);
  }

  private static String label(LeaseRequest request) {
    return request.transport().name().toLowerCase(Locale.ROOT);
  }

  private void count(Item item) {
    Entry original = item.original;
    if (original == null || !original.isLive()) {
      tunnels++;
      characters += item.size();
    } else {
      characters += item.size() - original.characters();
    }
  }

  @Override
  List<Ask> plan() {
    var ordinary = new LinkedHashMap<BlockId, List<LeaseRequest>>();
    var lastResort = new LinkedHashMap<BlockId, List<LeaseRequest>>();
    for (Item item : items.values()) {
      BlockId block = item.answer == null ? choose(item) : null;
      if (block != null) {
        (item.need == Need.ORDINARY ? ordinary : lastResort)
            .computeIfAbsent(block, _ -> new ArrayList<>())
            .add(item.request);
      }
    }
    var asks = releases(leftovers, Ask.Purpose.LEFTOVER);
    leftovers.clear();
    ordinary.forEach((block, requests) -> asks.add(new Ask.Lease(block, Need.ORDINARY, requests)));
    lastResort.forEach(
        (block, requests) -> asks.add(new Ask.Lease(block, Need.LAST_RESORT, requests)));
    return asks;
  }

  /// The block to ask now, with what has to be written down before; null when there is none and the
  /// request is answered.
  private @Nullable BlockId choose(Item item) {
    Entry original = item.original;
    Entry entry = entry(item.id());
    if (original != null
        && !item.homeAsked
        && original.block().transport() == item.request.transport()) {
      put(new Entry(item.id(), original.block(), original.previous(), item.size(), 0));
      item.homeAsked = true;
      item.tried.add(original.block());
      return original.block();
    }
    BlockId block = candidate(item);
    if (block == null) {
      giveUp(item);
      return null;
    }
    item.tried.add(block);
    rooms.take(block);
    BlockId previous = entry == null || block.equals(entry.previous()) ? null : entry.previous();
    put(new Entry(item.id(), block, previous, item.size(), 0));
    return block;
  }

  private @Nullable BlockId candidate(Item item) {
    var request = item.request;
    String cluster = request.identity().cluster();
    switch (request.wish()) {
      case PortWish.Exactly(int port) -> {
        // Whether it is for this tenant the block knows, where operators have reserved ports.
        if (!policy.range().contains(port)) {
          item.answer = new TenantAnswer.Refused(Refusal.CONFLICT, policy.refusal(cluster, port));
          return null;
        }
        var block = BlockId.of(request.transport(), port);
        return item.tried.contains(block) ? null : block;
      }
      case PortWish.None() -> {
        var blocks = blocks(request, policy.range().first());
        int hash = Math.floorMod(request.identity().hashCode(), Math.max(1, blocks.size()));
        return blocks.isEmpty() || item.tried.contains(blocks.get(hash)) ? null : blocks.get(hash);
      }
      case PortWish.Near(int listenerPort) -> {
        var blocks = blocks(request, 10_000 + listenerPort);
        if (item.need == Need.ORDINARY) {
          for (BlockId block : blocks) {
            if (!item.tried.contains(block) && rooms.free(block) > 0) {
              return block;
            }
          }
          item.need = Need.LAST_RESORT;
          item.tried.clear();
        }
        for (BlockId block : blocks) {
          if (!item.tried.contains(block) && rooms.kept(block) > 0) {
            return block;
          }
        }
        return null;
      }
    }
  }

  /// The blocks where the tenant may have ports, from the one of this port on, around the end.
  private List<BlockId> blocks(LeaseRequest request, int from) {
    var blocks = new ArrayList<BlockId>();
    for (PortRange ports : policy.allowed(request.identity().cluster())) {
      for (int index = ports.first() / BlockId.SIZE;
          index <= ports.last() / BlockId.SIZE;
          index++) {
        var block = new BlockId(request.transport(), index);
        if (blocks.isEmpty() || !blocks.getLast().equals(block)) {
          blocks.add(block);
        }
      }
    }
    int first = 0;
    while (first < blocks.size() && blocks.get(first).last() < from) {
      first++;
    }
    Collections.rotate(blocks, -first);
    return blocks;
  }

  private void giveUp(Item item) {
    if (item.answer == null) {
      item.answer =
          new TenantAnswer.Refused(
              Refusal.EXHAUSTED,
              "public port: none of "
                  + policy.describe(item.request.identity().cluster())
                  + " is free (expected: a released tunnel or a larger range)");
    }
    goBack(item, Known.NO);
  }

  /// Nothing came of the request.
  ///
  /// @param known whether the block that the tunnel is put down for knows it without a port
  private void goBack(Item item, Known known) {
    Entry entry = entry(item.id());
    if (entry == null) {
      return;
    }
    BlockId home = known == Known.YES ? entry.block() : entry.previous();
    Entry original = item.original;
    if (home == null) {
      remove(item.id());
    } else {
      int size = original == null ? item.size() : original.characters();
      put(new Entry(item.id(), home, null, size, 0));
    }
  }

  @Override
  void leased(Ask.Lease ask, long attempt, List<BlockAnswer> answers, BlockBook.Room room) {
    rooms.learn(ask.block(), room);
    for (int i = 0; i < answers.size(); i++) {
      Item item = items.get(ask.requests().get(i).identity().tunnelId());
      if (item != null) {
        leased(item, ask.block(), answers.get(i));
      }
    }
  }

  private void leased(Item item, BlockId block, BlockAnswer answer) {
    Entry entry = entry(item.id());
    switch (answer) {
      case BlockAnswer.Granted granted -> {
        item.answer = new TenantAnswer.Granted(granted);
        BlockId previous = entry == null ? null : entry.previous();
        if (previous != null) {
          leftovers.computeIfAbsent(previous, _ -> new ArrayList<>()).add(item.id());
        }
      }
      case BlockAnswer.Conflict(var text, var known) -> {
        item.answer = new TenantAnswer.Refused(Refusal.CONFLICT, text);
        goBack(item, known);
      }
      case BlockAnswer.NotHere(var known) -> {
        if (known == Known.YES && entry != null) {
          put(new Entry(item.id(), entry.block(), block, item.size(), 0));
        }
      }
    }
  }

  /// Of a tunnel that was in another block without a port before.
  @Override
  void done(Ask ask, long attempt) {
    if (ask instanceof Ask.Release(_, _, var tunnelIds)) {
      for (String tunnelId : tunnelIds) {
        Entry entry = entry(tunnelId);
        if (entry != null) {
          put(new Entry(tunnelId, entry.block(), null, entry.characters(), entry.releasedAt()));
        }
      }
    }
  }

  @Override
  void unanswered(Ask ask) {
    if (ask instanceof Ask.Lease(_, _, var requests)) {
      for (LeaseRequest request : requests) {
        Item item = items.get(request.identity().tunnelId());
        if (item != null) {
          item.answer = new TenantAnswer.Unavailable();
        }
      }
    }
  }
}
