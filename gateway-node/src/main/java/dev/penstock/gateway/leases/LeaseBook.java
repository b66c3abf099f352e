package dev.penstock.gateway.leases;

import dev.penstock.config.PortRange;
import dev.penstock.gateway.leases.LeaseResult.Change;
import dev.penstock.gateway.leases.LeaseResult.Conflict;
import dev.penstock.gateway.leases.LeaseResult.Exhausted;
import dev.penstock.gateway.leases.LeaseResult.Granted;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Who has which public port; the rules and nothing else: no file, no socket, no clock. One owner.
///
/// An identity has at most one lease per transport and is given the same port whenever it asks,
/// until the lease is released. A new one is given the port wanted by number or nothing; without
/// such a wish, 10000 + its listener port or the next free one above that, around the end of the
/// range.
public final class LeaseBook {
  private final PortRange range;
  private final Map<Key, Lease> byIdentity = new HashMap<>();
  private final Map<Transport, Map<Integer, Lease>> byPort = new EnumMap<>(Transport.class);
  private final Map<Transport, PortAllocator> ports = new EnumMap<>(Transport.class);
  private final Map<Transport, Set<Integer>> unbindable = new EnumMap<>(Transport.class);
  private final List<Lease> outOfRange = new ArrayList<>();
  private long highestFencing;

  private record Key(TunnelIdentity identity, Transport transport) {}

  /// @param leases those of before, no two of one identity or one port
  /// @param highestFencing the highest number that was ever granted
  public LeaseBook(PortRange range, Collection<Lease> leases, long highestFencing) {
    this.range = range;
    this.highestFencing = highestFencing;
    for (Transport transport : Transport.values()) {
      byPort.put(transport, new HashMap<>());
      ports.put(transport, new PortAllocator(range));
      unbindable.put(transport, new HashSet<>());
    }
    for (Lease lease : leases) {
      if (!range.contains(lease.port())) {
        outOfRange.add(lease);
        continue;
      }
      if (!allocator(lease.transport()).take(lease.port()) || leaseOf(lease) != null) {
        throw new IllegalArgumentException(
            "leases: two of " + lease.transport() + " port " + lease.port() + " or of one tunnel");
      }
      put(lease);
    }
  }

  /// Gives the tunnel its port, the same one when it has one already, whatever it wants now.
  public LeaseResult lease(LeaseRequest request) {
    Lease held = byIdentity.get(new Key(request.identity(), request.transport()));
    if (held == null) {
      return grant(request);
    }
    if (held.registration().equals(request.registration())) {
      return new Granted(held, Change.NONE);
    }
    var updated =
        new Lease(
            held.identity(), held.transport(), held.port(), held.fencing(), request.registration());
    put(updated);
    return new Granted(updated, Change.UPDATED);
  }

  /// Ends the lease and returns it; its port is free for others. Empty when there was none.
  public Optional<Lease> release(TunnelIdentity identity, Transport transport) {
    Lease lease = byIdentity.remove(new Key(identity, transport));
    if (lease == null) {
      return Optional.empty();
    }
    leasesByPort(transport).remove(lease.port());
    if (!unbindablePorts(transport).contains(lease.port())) {
      allocator(transport).giveBack(lease.port());
    }
    return Optional.of(lease);
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
    if (unbindablePorts(transport).remove(port) && !leasesByPort(transport).containsKey(port)) {
      allocator(transport).giveBack(port);
    }
  }

  /// The tunnel that has this port.
  public Optional<Lease> at(Transport transport, int port) {
    return Optional.ofNullable(leasesByPort(transport).get(port));
  }

  /// Whether this very grant still holds.
  public boolean isCurrent(Lease lease) {
    Lease held = leaseOf(lease);
    return held != null && held.fencing() == lease.fencing();
  }

  /// All leases, in no order.
  public List<Lease> leases() {
    return List.copyOf(byIdentity.values());
  }

  /// Leases of before whose port the range no longer has; their tunnels are given other ports.
  public List<Lease> outOfRange() {
    return List.copyOf(outOfRange);
  }

  /// The highest number granted so far.
  public long highestFencing() {
    return highestFencing;
  }

  /// Puts back what was before a change that could not be written down.
  ///
  /// @param before null when the identity had no lease
  void undo(Lease change, @Nullable Lease before) {
    if (before == null) {
      release(change.identity(), change.transport());
    } else {
      put(before);
    }
  }

  Optional<Lease> leaseOf(TunnelIdentity identity, Transport transport) {
    return Optional.ofNullable(byIdentity.get(new Key(identity, transport)));
  }

  private LeaseResult grant(LeaseRequest request) {
    Transport transport = request.transport();
    OptionalInt port;
    if (request.wantedPort().isPresent()) {
      int wanted = request.wantedPort().getAsInt();
      if (!allocator(transport).take(wanted)) {
        return new Conflict(conflict(request, wanted));
      }
      port = OptionalInt.of(wanted);
    } else {
      port = allocator(transport).takeFor(request.listenerPort());
    }
    if (port.isEmpty()) {
      return new Exhausted(
          "public port: none of "
              + range
              + " is free (expected: a released tunnel or a larger range)");
    }
    var lease =
        new Lease(
            request.identity(),
            transport,
            port.getAsInt(),
            ++highestFencing,
            request.registration());
    put(lease);
    return new Granted(lease, Change.NEW);
  }

  private String conflict(LeaseRequest request, int wanted) {
    if (!range.contains(wanted)) {
      return "public port: " + wanted + " (expected: one of " + range + ")";
    }
    Lease other = leasesByPort(request.transport()).get(wanted);
    String holder;
    if (other == null) {
      holder = "used by another program on the gateway";
    } else if (other.identity().cluster().equals(request.identity().cluster())) {
      holder = "taken by this cluster's tunnel " + other.identity().tunnelId();
    } else {
      holder = "taken by another tunnel";
    }
    return "public port: "
        + wanted
        + " is "
        + holder
        + " (expected: a free port of "
        + range
        + ", or none to be given one)";
  }

  private void put(Lease lease) {
    byIdentity.put(new Key(lease.identity(), lease.transport()), lease);
    leasesByPort(lease.transport()).put(lease.port(), lease);
  }

  private @Nullable Lease leaseOf(Lease lease) {
    return byIdentity.get(new Key(lease.identity(), lease.transport()));
  }

  private PortAllocator allocator(Transport transport) {
    return ofTransport(ports, transport);
  }

  private Map<Integer, Lease> leasesByPort(Transport transport) {
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
