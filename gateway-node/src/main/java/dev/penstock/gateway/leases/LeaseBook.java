package dev.penstock.gateway.leases;

import dev.penstock.config.PortRange;
import dev.penstock.gateway.leases.LeaseResult.Change;
import dev.penstock.gateway.leases.LeaseResult.Conflict;
import dev.penstock.gateway.leases.LeaseResult.Exhausted;
import dev.penstock.gateway.leases.LeaseResult.Granted;
import dev.penstock.gateway.leases.LeaseResult.OverQuota;
import dev.penstock.gateway.leases.LeaseStore.KeptPort;
import dev.penstock.gateway.leases.TunnelRecord.Origin;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Which tunnel there is and who has which public port; the rules and nothing else: no file, no
/// socket, no clock. One owner.
///
/// An identity has at most one lease and is given the same port whenever it asks, until it is
/// released; it keeps the lease while it needs no port. A new lease is for the port wanted by
/// number or there is none; without such a wish, for 10000 + the listener port or the next free one
/// above that, around the end of the range.
public final class LeaseBook {
  private final LeasePolicy policy;
  private final PortRange range;
  private final Map<TunnelIdentity, TunnelRecord> byIdentity = new HashMap<>();
  private final Map<String, Usage> byCluster = new HashMap<>();
  private final Map<Transport, Map<Integer, TunnelRecord>> byPort = new EnumMap<>(Transport.class);
  private final Map<Transport, PortAllocator> ports = new EnumMap<>(Transport.class);
  private final Map<Transport, Set<Integer>> unbindable = new EnumMap<>(Transport.class);
  private final List<TunnelRecord> outOfRange = new ArrayList<>();

  /// Ports of ended tunnels, in the order of their ends.
  private final Map<Transport, Map<Integer, KeptPort>> kept = new EnumMap<>(Transport.class);

  private final Map<TunnelIdentity, KeptPort> keptFor = new HashMap<>();
  private final Map<Transport, Map<Integer, String>> reserved = new EnumMap<>(Transport.class);

  /// What ports were kept for that have been granted since [#settled].
  private final List<KeptPort> granted = new ArrayList<>();

  private long highestFencing;

  private record Usage(int tunnels, long characters) {
    static final Usage NONE = new Usage(0, 0);

    Usage plus(int count, long more) {
      return new Usage(tunnels + count, characters + more);
    }
  }

  /// @param tunnels those of before, no two of one identity or one port; a lease out of the range
  ///   does not hold
  /// @param highestFencing the highest number that was ever granted
  public LeaseBook(LeasePolicy policy, Collection<TunnelRecord> tunnels, long highestFencing) {
    this.policy = policy;
    this.range = policy.range();
    this.highestFencing = highestFencing;
    for (Transport transport : Transport.values()) {
      byPort.put(transport, new HashMap<>());
      ports.put(transport, new PortAllocator(range));
      unbindable.put(transport, new HashSet<>());
      kept.put(transport, new LinkedHashMap<>());
      reserved.put(transport, new HashMap<>());
    }
    for (TunnelRecord tunnel : tunnels) {
      Lease lease = tunnel.lease();
      if (byIdentity.containsKey(tunnel.identity())) {
        throw new IllegalArgumentException("tunnels: two of " + tunnel.identity());
      }
      if (lease == null || range.contains(lease.port())) {
        restore(tunnel);
      } else {
        outOfRange.add(tunnel);
        restore(withLease(tunnel, null));
      }
    }
  }

  /// With all that was stored.
  static LeaseBook of(LeasePolicy policy, LeaseStore.Stored stored) {
    var book = new LeaseBook(policy, stored.tunnels(), stored.highestFencing());
    stored.reservations().forEach(book::reserve);
    stored.kept().forEach(book::keep);
    return book;
  }

  /// Makes the tunnel known and gives it the port it wants, the same one when it has one already.
  public LeaseResult lease(LeaseRequest request) {
    TunnelRecord held = byIdentity.get(request.identity());
    if (held != null && held.transport() != request.transport()) {
      return new Conflict(
          "protocol: "
              + label(request.transport())
              + " (expected: "
              + label(held.transport())
              + ", as the tunnel was registered, or another tunnel_id)");
    }
    OverQuota over = overQuota(request, held);
    if (over != null) {
      return over;
    }
    Lease lease = held == null ? null : held.lease();
    if (lease == null) {
      switch (request.wish()) {
        case PortWish.None() -> {}
        case PortWish.Exactly(int port) -> {
          if (!take(request, port)) {
            return new Conflict(conflict(request, port));
          }
          lease = new Lease(port, ++highestFencing);
        }
        case PortWish.Near(int listenerPort) -> {
          String cluster = request.identity().cluster();
          var port = near(request, listenerPort);
          if (port.isEmpty()) {
            return new Exhausted(
                "public port: none of "
                    + policy.describe(cluster)
                    + " is free (expected: a released tunnel or a larger range)");
          }
          lease = new Lease(port.getAsInt(), ++highestFencing);
        }
      }
    }
    var tunnel =
        new TunnelRecord(
            request.identity(),
            request.transport(),
            lease,
            held != null && held.origin() == Origin.SYNC ? Origin.SYNC : request.origin(),
            request.registration());
    if (held != null && tunnel.equals(held)) {
      return new Granted(held, Change.NONE);
    }
    put(tunnel);
    return new Granted(tunnel, held == null ? Change.NEW : Change.UPDATED);
  }

  /// Ends the tunnel and returns it; its port is free for others. Empty when there was none.
  public Optional<TunnelRecord> release(TunnelIdentity identity) {
    TunnelRecord tunnel = byIdentity.remove(identity);
    if (tunnel == null) {
      return Optional.empty();
    }
    count(tunnel, -1);
    freePort(tunnel);
    return Optional.of(tunnel);
  }

  /// Ends the tunnel and returns it; its port, if it has one, is kept for it.
  ///
  /// @param now milliseconds since 1970, never less than before
  Optional<TunnelRecord> retain(TunnelIdentity identity, long now) {
    var tunnel = release(identity);
    tunnel.ifPresent(it -> {
      Lease lease = it.lease();
      if (lease != null) {
        keep(new KeptPort(identity, it.transport(), lease.port(), now));
      }
    });
    return tunnel;
  }

  /// Ports that have been kept for long enough are free for others.
  ///
  /// @param now milliseconds since 1970
  void expire(long now, long retentionMillis) {
    for (Transport transport : Transport.values()) {
      var ports = ofTransport(kept, transport).values();
      while (!ports.isEmpty()) {
        KeptPort oldest = ports.iterator().next();
        if (now - oldest.since() < retentionMillis) {
          break;
        }
        forget(oldest);
        giveBack(transport, oldest.port());
      }
    }
  }

  /// How many ports are kept for ended tunnels.
  int keptPorts() {
    return keptFor.size();
  }

  /// What was granted is written down: it can no longer be undone.
  void settled() {
    granted.clear();
  }

  /// Why a port cannot be reserved; empty when it can.
  Optional<String> obstacleTo(Reservation reservation) {
    int port = reservation.port();
    TunnelRecord holder = tunnelsByPort(reservation.transport()).get(port);
    KeptPort keptPort = ofTransport(kept, reservation.transport()).get(port);
    return Optional.ofNullable(
        Reserving.conflict(
            policy,
            reservation.cluster(),
            port,
            holder == null ? null : holder.identity().cluster(),
            keptPort == null ? null : keptPort.identity().cluster(),
            ofTransport(reserved, reservation.transport()).get(port)));
  }

  /// Only this tenant is given the port from now on.
  void reserve(Reservation reservation) {
    ofTransport(reserved, reservation.transport()).put(reservation.port(), reservation.cluster());
    allocator(reservation.transport()).take(reservation.port());
  }

  /// Ends a reservation, if there is one.
  void unreserve(Transport transport, int port) {
    if (ofTransport(reserved, transport).remove(port) != null) {
      giveBack(transport, port);
    }
  }

  /// All reservations, in no order.
  List<Reservation> reservations() {
    var all = new ArrayList<Reservation>();
    reserved.forEach((transport, ports) ->
        ports.forEach((port, cluster) -> all.add(new Reservation(transport, port, cluster))));
    return all;
  }

  private boolean allows(LeaseRequest request, int port) {
    String cluster = request.identity().cluster();
    String only = ofTransport(reserved, request.transport()).get(port);
    return only == null
        ? policy.allows(cluster, port)
        : only.equals(cluster) && range.contains(port);
  }

  /// Whether the port is given to nobody now; it may be kept or reserved.
  private boolean isUnused(Transport transport, int port) {
    return !tunnelsByPort(transport).containsKey(port)
        && !unbindablePorts(transport).contains(port);
  }

  private boolean take(LeaseRequest request, int port) {
    KeptPort keptPort = ofTransport(kept, request.transport()).get(port);
    String cluster = request.identity().cluster();
    if (!allows(request, port)
        || !isUnused(request.transport(), port)
        || (keptPort != null && !keptPort.identity().cluster().equals(cluster))) {
      return false;
    }
    take(request.transport(), port);
    return true;
  }

  private void take(Transport transport, int port) {
    KeptPort keptPort = ofTransport(kept, transport).get(port);
    if (keptPort != null) {
      forget(keptPort);
      granted.add(keptPort);
    }
    allocator(transport).take(port);
  }

  private OptionalInt near(LeaseRequest request, int listenerPort) {
    var transport = request.transport();
    KeptPort own = keptFor.get(request.identity());
    if (own != null && own.transport() == transport && take(request, own.port())) {
      return OptionalInt.of(own.port());
    }
    var ports = ofTransport(reserved, transport);
    int preferred = PortAllocator.PREFERRED_OFFSET + listenerPort;
    String cluster = request.identity().cluster();
    if (cluster.equals(ports.get(preferred)) && take(request, preferred)) {
      return OptionalInt.of(preferred);
    }
    var found = allocator(transport).takeFor(listenerPort, policy.allowed(cluster));
    if (found.isPresent()) {
      return found;
    }
    for (var port : ports.entrySet()) {
      if (port.getValue().equals(cluster) && take(request, port.getKey())) {
        return OptionalInt.of(port.getKey());
      }
    }
    for (KeptPort oldest : List.copyOf(ofTransport(kept, transport).values())) {
      if (allows(request, oldest.port()) && isUnused(transport, oldest.port())) {
        take(transport, oldest.port());
        return OptionalInt.of(oldest.port());
      }
    }
    return OptionalInt.empty();
  }

  /// An identity has one such port at most; one that somebody has or that is out of the range is
  /// not kept.
  private void keep(KeptPort port) {
    if (range.contains(port.port()) && !tunnelsByPort(port.transport()).containsKey(port.port())) {
      KeptPort before = keptFor.get(port.identity());
      if (before != null) {
        forget(before);
        giveBack(before.transport(), before.port());
      }
      ofTransport(kept, port.transport()).put(port.port(), port);
      keptFor.put(port.identity(), port);
      allocator(port.transport()).take(port.port());
    }
  }

  private void forget(KeptPort port) {
    ofTransport(kept, port.transport()).remove(port.port());
    keptFor.remove(port.identity());
  }

  /// Frees a port unless something else keeps it from being free.
  private void giveBack(Transport transport, int port) {
    if (isUnused(transport, port)
        && !ofTransport(kept, transport).containsKey(port)
        && !ofTransport(reserved, transport).containsKey(port)) {
      allocator(transport).giveBack(port);
    }
  }

  /// The system refuses to bind the port, because another program has it: it is granted to nobody
  /// until [#markBindable]. A tunnel that holds it keeps it until it is released.
  public void markUnbindable(Transport transport, int port) {
    if (range.contains(port) && unbindablePorts(transport).add(port)) {
      allocator(transport).take(port);
    }
  }

  /// The port can be bound again.
  public void markBindable(Transport transport, int port) {
    if (unbindablePorts(transport).remove(port)) {
      giveBack(transport, port);
    }
  }

  /// The tunnel that has this port.
  public Optional<TunnelRecord> at(Transport transport, int port) {
    return Optional.ofNullable(tunnelsByPort(transport).get(port));
  }

  /// The tunnel of this identity.
  public Optional<TunnelRecord> of(TunnelIdentity identity) {
    return Optional.ofNullable(byIdentity.get(identity));
  }

  /// All tunnels, in no order.
  public List<TunnelRecord> tunnels() {
    return List.copyOf(byIdentity.values());
  }

  /// Tunnels of before with a lease whose port the range no longer has; they are given other ports
  /// when they ask.
  public List<TunnelRecord> outOfRange() {
    return List.copyOf(outOfRange);
  }

  /// Puts back what was before a change that could not be written down or did not last.
  ///
  /// @param before null when the identity was not known
  void undo(TunnelIdentity identity, @Nullable TunnelRecord before) {
    var undone = release(identity).map(TunnelRecord::lease);
    if (before != null) {
      restore(before);
    }
    for (KeptPort port : List.copyOf(granted)) {
      boolean wasGranted = undone.isPresent() && undone.get().port() == port.port();
      if (wasGranted || port.identity().equals(identity)) {
        granted.remove(port);
        keep(port);
      }
    }
  }

  private void restore(TunnelRecord tunnel) {
    Lease lease = tunnel.lease();
    if (lease != null
        && !allocator(tunnel.transport()).take(lease.port())
        && !unbindablePorts(tunnel.transport()).contains(lease.port())
        && !ofTransport(reserved, tunnel.transport()).containsKey(lease.port())) {
      throw new IllegalArgumentException(
          "tunnels: two of " + tunnel.transport() + " port " + lease.port());
    }
    put(tunnel);
  }

  private @Nullable OverQuota overQuota(LeaseRequest request, @Nullable TunnelRecord held) {
    if (request.registration().length() > Quota.MAX_CHARACTERS) {
      return new OverQuota(
          "registration: "
              + request.registration().length()
              + " characters (expected: at most "
              + Quota.MAX_CHARACTERS
              + ")");
    }
    Quota quota = policy.quota(request.identity().cluster());
    Usage used = byCluster.getOrDefault(request.identity().cluster(), Usage.NONE);
    if (held == null && used.tunnels() >= quota.tunnels()) {
      return new OverQuota(
          "tunnels: "
              + used.tunnels()
              + " of this cluster are registered (expected: at most "
              + quota.tunnels()
              + ")");
    }
    int more = request.registration().length() - (held == null ? 0 : held.registration().length());
    if (more > 0 && used.characters() + more > quota.characters()) {
      return new OverQuota(
          "labels and annotations: too long, with those of the cluster's other tunnels (expected: at"
              + " most "
              + quota.characters()
              + " characters in all)");
    }
    return null;
  }

  private String conflict(LeaseRequest request, int wanted) {
    String cluster = request.identity().cluster();
    if (!allows(request, wanted)) {
      return policy.refusal(cluster, wanted);
    }
    TunnelRecord other = tunnelsByPort(request.transport()).get(wanted);
    String holder;
    if (other == null && ofTransport(kept, request.transport()).containsKey(wanted)) {
      holder = "kept for a tunnel that was deregistered a while ago";
    } else if (other == null) {
      holder = "used by another program on the gateway";
    } else if (other.identity().cluster().equals(cluster)) {
      holder = "taken by this cluster's tunnel " + other.identity().tunnelId();
    } else {
      holder = "taken by another tunnel";
    }
    return "public port: "
        + wanted
        + " is "
        + holder
        + " (expected: a free port of "
        + policy.describe(cluster)
        + ", or none to be given one)";
  }

  private void put(TunnelRecord tunnel) {
    TunnelRecord before = byIdentity.put(tunnel.identity(), tunnel);
    if (before != null) {
      count(before, -1);
    }
    count(tunnel, 1);
    Lease lease = tunnel.lease();
    if (lease != null) {
      tunnelsByPort(tunnel.transport()).put(lease.port(), tunnel);
      KeptPort other = keptFor.get(tunnel.identity());
      if (other != null) {
        forget(other);
        granted.add(other);
        giveBack(other.transport(), other.port());
      }
    }
  }

  private void count(TunnelRecord tunnel, int sign) {
    byCluster.compute(
        tunnel.identity().cluster(),
        (_, used) -> {
          var now =
              (used == null ? Usage.NONE : used)
                  .plus(sign, (long) sign * tunnel.registration().length());
          return now.tunnels() == 0 ? null : now;
        });
  }

  private void freePort(TunnelRecord tunnel) {
    Lease lease = tunnel.lease();
    if (lease != null) {
      tunnelsByPort(tunnel.transport()).remove(lease.port());
      giveBack(tunnel.transport(), lease.port());
    }
  }

  private static TunnelRecord withLease(TunnelRecord tunnel, @Nullable Lease lease) {
    return new TunnelRecord(
        tunnel.identity(), tunnel.transport(), lease, tunnel.origin(), tunnel.registration());
  }

  private static String label(Transport transport) {
    return transport.name().toLowerCase(Locale.ROOT);
  }

  private PortAllocator allocator(Transport transport) {
    return ofTransport(ports, transport);
  }

  private Map<Integer, TunnelRecord> tunnelsByPort(Transport transport) {
    return ofTransport(byPort, transport);
  }

  private Set<Integer> unbindablePorts(Transport transport) {
    return ofTransport(unbindable, transport);
  }

  /// The constructor has filled the maps for every transport.
  private static <V> V ofTransport(Map<Transport, V> map, Transport transport) {
    return Objects.requireNonNull(map.get(transport));
  }
}
