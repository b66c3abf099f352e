package dev.penstock.gateway.leases.sharded;

import dev.penstock.config.PortRange;
import dev.penstock.gateway.leases.Lease;
import dev.penstock.gateway.leases.LeasePolicy;
import dev.penstock.gateway.leases.LeaseRequest;
import dev.penstock.gateway.leases.LeaseResult.Change;
import dev.penstock.gateway.leases.PortWish;
import dev.penstock.gateway.leases.Reservation;
import dev.penstock.gateway.leases.Reserving;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.leases.TunnelRecord;
import dev.penstock.gateway.leases.TunnelRecord.Origin;
import dev.penstock.gateway.leases.sharded.BlockAnswer.Conflict;
import dev.penstock.gateway.leases.sharded.BlockAnswer.Fresh;
import dev.penstock.gateway.leases.sharded.BlockAnswer.Granted;
import dev.penstock.gateway.leases.sharded.BlockAnswer.Known;
import dev.penstock.gateway.leases.sharded.BlockAnswer.NotHere;
import dev.penstock.gateway.leases.sharded.BlockEvent.Dropped;
import dev.penstock.gateway.leases.sharded.BlockEvent.Held;
import dev.penstock.gateway.leases.sharded.BlockEvent.Line;
import dev.penstock.gateway.leases.sharded.BlockEvent.Released;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Who has which port of one block; the rules and nothing else: no store, no clock. One owner.
///
/// An identity has at most one port here and is given the same whenever it asks. A port that was
/// released is kept for its identity as long as the retention says; it goes to another tunnel of
/// the same tenant that asks for it by number, and to anybody when there is no other port left in
/// any block. Fencing numbers rise over all grants of the block.
///
/// Requests of a tenant are numbered: one that is older than one already seen is stale, because the
/// tenant has gone on meanwhile.
///
/// Deciding changes nothing; what was decided is applied once it is written down.
final class BlockBook {
  private static final int PREFERRED_OFFSET = 10_000;

  private final BlockId id;
  private final Map<TunnelIdentity, Held> held = new HashMap<>();
  private final Map<Integer, TunnelIdentity> byPort = new HashMap<>();
  private final TreeMap<Integer, KeptPort> kept = new TreeMap<>();
  private final Map<TunnelIdentity, Integer> keptFor = new HashMap<>();
  private final Map<String, Long> attempts = new HashMap<>();
  private final Set<Integer> unbindable = new HashSet<>();
  private final TreeMap<Integer, String> reserved = new TreeMap<>();
  private long highestFencing;

  private record KeptPort(TunnelIdentity identity, long since) {}

  BlockBook(BlockId id) {
    this.id = id;
  }

  static BlockBook of(BlockId id, BlockSnapshot snapshot) {
    var book = new BlockBook(id);
    book.highestFencing = snapshot.highestFencing();
    snapshot.held().forEach(book::hold);
    snapshot
        .kept()
        .forEach(one ->
            book.keep(one.port(), new TunnelIdentity(one.cluster(), one.tunnelId()), one.since()));
    book.attempts.putAll(snapshot.attempts());
    book.reserved.putAll(snapshot.reserved());
    return book;
  }

  BlockSnapshot snapshot() {
    var ports = new ArrayList<BlockSnapshot.Kept>();
    kept.forEach((port, one) ->
        ports.add(
            new BlockSnapshot.Kept(
                one.identity().cluster(), one.identity().tunnelId(), port, one.since())));
    return new BlockSnapshot(highestFencing, List.copyOf(held.values()), ports, attempts, reserved);
  }

  private BlockBook copy() {
    var copy = BlockBook.of(id, snapshot());
    copy.unbindable.addAll(unbindable);
    return copy;
  }

  /// All tunnels, in no order.
  Collection<Held> tunnels() {
    return List.copyOf(held.values());
  }

  /// The highest number of a request that was seen, by tenant.
  Map<String, Long> attempts() {
    return Map.copyOf(attempts);
  }

  /// Whether the request is newer than all that were seen of its tenant; from now on they are
  /// older.
  boolean isNewest(String cluster, long attempt) {
    if (attempt <= attempts.getOrDefault(cluster, 0L)) {
      return false;
    }
    attempts.put(cluster, attempt);
    return true;
  }

  /// What is to be written down, and what is to be said then.
  record Leased(BlockEvent event, List<BlockAnswer> answers) {
    /// Whether it may be forgotten that this was asked: nothing has changed, and a request that
    /// comes late cannot change anything either. After a refusal it could, because the tenant looks
    /// for another block then.
    boolean isForgettable() {
      return event.lines().isEmpty()
          && answers.stream().allMatch(answer -> answer instanceof Granted);
    }
  }

  /// Whether ports that are kept for others may be given away.
  enum Need {
    ORDINARY,
    /// No block has a free port.
    LAST_RESORT
  }

  /// Decides on requests of a tenant, each in turn.
  ///
  /// @param now milliseconds since 1970
  Leased lease(
      String cluster,
      List<LeaseRequest> requests,
      Need need,
      long attempt,
      long now,
      LeasePolicy policy,
      long retentionMillis) {
    var lines = new ArrayList<Line>();
    var answers = new ArrayList<BlockAnswer>();
    var draft = copy();
    for (LeaseRequest request : requests) {
      var deciding = draft.new Deciding(request, need, attempt, now, policy, retentionMillis);
      answers.add(deciding.decide());
      Held line = deciding.line;
      if (line != null) {
        lines.add(line);
        draft.apply(line);
      }
    }
    return new Leased(BlockEvent.of(cluster, attempt, lines), answers);
  }

  /// One request against the book as it is.
  private final class Deciding {
    private final LeaseRequest request;
    private final Need need;
    private final long attempt;
    private final long now;
    private final LeasePolicy policy;
    private final long retentionMillis;
    private final String cluster;
    private @Nullable Held line;

    Deciding(
        LeaseRequest request,
        Need need,
        long attempt,
        long now,
        LeasePolicy policy,
        long retentionMillis) {
      this.request = request;
      this.need = need;
      this.attempt = attempt;
      this.now = now;
      this.policy = policy;
      this.retentionMillis = retentionMillis;
      this.cluster = request.identity().cluster();
    }

    BlockAnswer decide() {
      Held before = held.get(request.identity());
      Integer port = before == null ? null : before.port();
      if (before != null && port != null && policy.range().contains(port)) {
        return granted(before, new Lease(port, before.fencing()));
      }
      Known known = before == null ? Known.NO : Known.YES;
      return switch (request.wish()) {
        case PortWish.None() -> granted(before, null);
        case PortWish.Exactly(int wanted) -> {
          if (!id.contains(wanted)) {
            yield new NotHere(known);
          }
          if (!allows(policy, cluster, wanted)) {
            yield new Conflict(policy.refusal(cluster, wanted), known);
          }
          String holder = holder(wanted);
          yield holder == null
              ? granted(before, new Lease(wanted, highestFencing + 1))
              : new Conflict(
                  "public port: "
                      + wanted
                      + " is "
                      + holder
                      + " (expected: a free port of "
                      + policy.describe(cluster)
                      + ", or none to be given one)",
                  known);
        }
        case PortWish.Near(int listenerPort) -> {
          Integer found = near(PREFERRED_OFFSET + listenerPort);
          yield found == null
              ? new NotHere(known)
              : granted(before, new Lease(found, highestFencing + 1));
        }
      };
    }

    private Granted granted(@Nullable Held before, @Nullable Lease lease) {
      var origin =
          before != null && before.origin() == Origin.SYNC ? Origin.SYNC : request.origin();
      var now =
          Held.of(
              new TunnelRecord(
                  request.identity(), id.transport(), lease, origin, request.registration()),
              attempt);
      boolean fresh = lease != null && (before == null || before.port() == null || !has(before));
      if (before != null && now.tunnel(id.transport()).equals(before.tunnel(id.transport()))) {
        return answer(before, Change.NONE, null);
      }
      line = now;
      return answer(
          now, before == null ? Change.NEW : Change.UPDATED, fresh ? new Fresh(before) : null);
    }

    private boolean has(Held before) {
      return before.port() != null && policy.range().contains(before.port());
    }

    private static Granted answer(Held now, Change change, @Nullable Fresh fresh) {
      return new Granted(now.port(), now.fencing(), now.origin(), now.revision(), change, fresh);
    }

    /// Who has a port that was asked for by number; null when it can be given.
    private @Nullable String holder(int wanted) {
      TunnelIdentity other = byPort.get(wanted);
      if (other != null) {
        return other.cluster().equals(cluster)
            ? "taken by this cluster's tunnel " + other.tunnelId()
            : "taken by another tunnel";
      }
      KeptPort keptPort = kept.get(wanted);
      return keptPort == null || keptPort.identity().cluster().equals(cluster) || isOver(keptPort)
          ? null
          : "kept for a tunnel that was deregistered a while ago";
    }

    private boolean isOver(KeptPort port) {
      return now - port.since() >= retentionMillis;
    }

    private @Nullable Integer near(int preferred) {
      Integer own = keptFor.get(request.identity());
      if (own != null && allows(policy, cluster, own) && !unbindable.contains(own)) {
        return own;
      }
      Integer found = firstFree(preferred);
      if (found == null) {
        found = firstFree(0);
      }
      return found == null && need == Need.LAST_RESORT ? oldestKept() : found;
    }

    private @Nullable Integer firstFree(int from) {
      for (PortRange ports : policy.allowed(cluster)) {
        int first = Math.max(Math.max(from, id.first()), ports.first());
        int last = Math.min(id.last(), ports.last());
        for (int port = first; port <= last; port++) {
          if (isFree(port)) {
            return port;
          }
        }
      }
      return null;
    }

    private boolean isFree(int port) {
      KeptPort keptPort = kept.get(port);
      return !byPort.containsKey(port)
          && !unbindable.contains(port)
          && allows(policy, cluster, port)
          && (keptPort == null || isOver(keptPort));
    }

    private @Nullable Integer oldestKept() {
      Integer oldest = null;
      long since = Long.MAX_VALUE;
      for (var entry : kept.entrySet()) {
        int port = entry.getKey();
        if (entry.getValue().since() < since
            && allows(policy, cluster, port)
            && !unbindable.contains(port)) {
          oldest = port;
          since = entry.getValue().since();
        }
      }
      return oldest;
    }
  }

  /// How many ports are kept for tunnels that have ended.
  int kept(long now, long retentionMillis) {
    return (int) kept.values().stream().filter(it -> now - it.since() < retentionMillis).count();
  }

  /// What a tenant could still be given here.
  ///
  /// @param free ports that nobody has
  /// @param kept ports that are kept for tunnels that have ended
  record Room(int free, int kept) {}

  Room room(String cluster, long now, LeasePolicy policy, long retentionMillis) {
    int free = 0;
    int keptPorts = 0;
    for (PortRange ports : policy.allowed(cluster)) {
      for (int port = Math.max(id.first(), ports.first());
          port <= Math.min(id.last(), ports.last());
          port++) {
        KeptPort keptPort = kept.get(port);
        if (byPort.containsKey(port)
            || unbindable.contains(port)
            || !allows(policy, cluster, port)) {
          continue;
        }
        if (keptPort != null && now - keptPort.since() < retentionMillis) {
          keptPorts++;
        } else {
          free++;
        }
      }
    }
    return new Room(free, keptPorts);
  }

  /// Decides on the end of tunnels that are in another block by now. Nobody is told that they have
  /// ended, because they have not.
  BlockEvent forget(String cluster, List<String> tunnelIds, long attempt) {
    return BlockEvent.of(
        cluster,
        attempt,
        tunnelIds.stream()
            .filter(tunnelId -> held.containsKey(new TunnelIdentity(cluster, tunnelId)))
            .<Line>map(tunnelId -> new Dropped(cluster, tunnelId, 0))
            .toList());
  }

  /// Decides on the end of a tenant's tunnels; unknown ones are passed over.
  BlockEvent release(
      String cluster, List<String> tunnelIds, long attempt, long now, long retentionMillis) {
    var lines = new ArrayList<Line>();
    for (String tunnelId : tunnelIds) {
      Held tunnel = held.get(new TunnelIdentity(cluster, tunnelId));
      if (tunnel != null) {
        lines.add(
            tunnel.port() == null || retentionMillis == 0
                ? new Dropped(cluster, tunnelId, attempt)
                : new Released(cluster, tunnelId, now, attempt));
      }
    }
    return BlockEvent.of(cluster, attempt, lines);
  }

  /// Decides on the end of a grant that a system refused to bind; without lines when it has ended
  /// already. The port is granted only by number from now on, as long as this book is in memory.
  BlockEvent refuse(TunnelIdentity identity, long fencing, @Nullable Held before, long attempt) {
    Held tunnel = held.get(identity);
    if (tunnel == null || tunnel.port() == null || tunnel.fencing() != fencing) {
      return BlockEvent.of(identity.cluster(), attempt, List.of());
    }
    unbindable.add(tunnel.port());
    return BlockEvent.of(
        identity.cluster(),
        attempt,
        List.of(
            before == null
                ? new Dropped(identity.cluster(), identity.tunnelId(), attempt)
                : Held.of(before.tunnel(id.transport()), attempt)));
  }

  /// Whether a tenant may be given a port, by the settings and by what operators reserved.
  private boolean allows(LeasePolicy policy, String cluster, int port) {
    String only = reserved.get(port);
    return only == null
        ? policy.allows(cluster, port)
        : only.equals(cluster) && policy.range().contains(port);
  }

  /// Why a port of this block cannot be reserved for a tenant; null when it can.
  ///
  /// @param now milliseconds since 1970
  @Nullable String obstacleTo(
      String cluster, int port, LeasePolicy policy, long now, long retentionMillis) {
    TunnelIdentity holder = byPort.get(port);
    KeptPort keptPort = kept.get(port);
    return Reserving.conflict(
        policy,
        cluster,
        port,
        holder == null ? null : holder.cluster(),
        keptPort != null && now - keptPort.since() < retentionMillis
            ? keptPort.identity().cluster()
            : null,
        reserved.get(port));
  }

  /// Who alone is given which ports, as operators said.
  List<Reservation> reservations() {
    return reserved.entrySet().stream()
        .map(it -> new Reservation(id.transport(), it.getKey(), it.getValue()))
        .toList();
  }

  /// Puts down what was written down.
  void apply(BlockEvent event) {
    for (BlockEvent.Reserved reservation : event.reservations()) {
      String cluster = reservation.cluster();
      if (cluster == null) {
        reserved.remove(reservation.port());
      } else {
        reserved.put(reservation.port(), cluster);
      }
    }
    if (event.attempt() == 0) {
      return;
    }
    attempts.merge(event.cluster(), event.attempt(), Math::max);
    event.lines().forEach(this::apply);
  }

  private void apply(Line line) {
    var identity = line.identity();
    Held before = held.remove(identity);
    Integer port = before == null ? null : before.port();
    if (port != null) {
      byPort.remove(port);
    }
    switch (line) {
      case Held now -> {
        hold(now);
        highestFencing = Math.max(highestFencing, now.fencing());
      }
      case Released(_, _, long at, _) -> {
        if (port != null) {
          keep(port, identity, at);
        }
      }
      case Dropped _ -> {}
    }
  }

  private void hold(Held tunnel) {
    held.put(tunnel.identity(), tunnel);
    Integer port = tunnel.port();
    if (port != null) {
      byPort.put(port, tunnel.identity());
      forget(port);
      Integer own = keptFor.get(tunnel.identity());
      if (own != null) {
        forget(own);
      }
      unbindable.remove(port);
    }
  }

  private void keep(int port, TunnelIdentity identity, long since) {
    kept.put(port, new KeptPort(identity, since));
    keptFor.put(identity, port);
  }

  private void forget(int port) {
    KeptPort before = kept.remove(port);
    if (before != null) {
      keptFor.remove(before.identity());
    }
  }
}
