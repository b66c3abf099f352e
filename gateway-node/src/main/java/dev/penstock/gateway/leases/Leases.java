package dev.penstock.gateway.leases;

import dev.penstock.gateway.leases.LeaseResult.Change;
import dev.penstock.gateway.leases.LeaseResult.Granted;
import java.io.IOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// A [LeaseBook] that lasts: whatever it grants or releases is in the store before it is told. One
/// owner; calls may block for as long as the disk takes.
public final class Leases {
  private final LeaseStore store;
  private final LeaseBook book;
  private final List<String> warnings;
  private final long retentionMillis;
  private final InstantSource clock;

  private record Undo(TunnelIdentity identity, @Nullable TunnelRecord before) {}

  private Leases(
      LeaseStore store,
      LeaseBook book,
      List<String> warnings,
      Duration retention,
      InstantSource clock) {
    this.store = store;
    this.book = book;
    this.warnings = warnings;
    this.retentionMillis = retention.toMillis();
    this.clock = clock;
  }

  /// Loads the store, which stays its opener's to close. No port is kept for an ended tunnel.
  public static Leases open(LeaseStore store, LeasePolicy policy) throws IOException {
    return open(store, policy, Duration.ZERO, InstantSource.system());
  }

  /// As [#open(LeaseStore, LeasePolicy)].
  ///
  /// @param retention how long the port of an ended tunnel is kept for it
  /// @param clock tells what time it is, for the retention only
  public static Leases open(
      LeaseStore store, LeasePolicy policy, Duration retention, InstantSource clock)
      throws IOException {
    var book = LeaseBook.of(policy, store.load());
    book.expire(clock.millis(), retention.toMillis());
    var warnings = new ArrayList<String>();
    for (TunnelRecord tunnel : book.outOfRange()) {
      Lease lease = tunnel.lease();
      warnings.add(
          "port "
              + (lease == null ? 0 : lease.port())
              + " is leased but no longer in "
              + policy.range()
              + "; its tunnel will be given another");
    }
    return new Leases(store, book, List.copyOf(warnings), retention, clock);
  }

  /// What the operator should know of what was loaded.
  public List<String> warnings() {
    return warnings;
  }

  /// As [#leaseAll] for one.
  public LeaseResult lease(LeaseRequest request) throws IOException {
    return leaseAll(List.of(request)).getFirst();
  }

  /// See [LeaseBook#lease], for each in turn; written down at once. The results are in the order of
  /// the requests.
  ///
  /// @throws IOException when the grants could not be written down; then none was made
  public List<LeaseResult> leaseAll(List<LeaseRequest> requests) throws IOException {
    var results = new ArrayList<LeaseResult>(requests.size());
    var changes = new ArrayList<LeaseStore.Change>();
    var undo = new ArrayList<Undo>();
    book.expire(clock.millis(), retentionMillis);
    for (LeaseRequest request : requests) {
      var before = book.of(request.identity());
      LeaseResult result = book.lease(request);
      results.add(result);
      if (result instanceof Granted(var tunnel, var change) && change != Change.NONE) {
        changes.add(new LeaseStore.Change.Held(tunnel));
        undo.add(new Undo(request.identity(), before.orElse(null)));
      }
    }
    if (!changes.isEmpty()) {
      try {
        store.write(changes);
      } catch (IOException e) {
        undo.reversed().forEach(one -> book.undo(one.identity(), one.before()));
        throw e;
      }
      book.settled();
    }
    return results;
  }

  /// Ends tunnels, whose ports are kept for them; unknown ones are passed over.
  ///
  /// @throws IOException when the releases could not be written down; the tunnels then still are
  public void releaseAll(Collection<TunnelIdentity> identities) throws IOException {
    var known = identities.stream().flatMap(identity -> book.of(identity).stream()).toList();
    if (!known.isEmpty()) {
      long now = clock.millis();
      store.write(known.stream().map(tunnel -> end(tunnel, now)).toList());
      if (retentionMillis == 0) {
        known.forEach(tunnel -> book.release(tunnel.identity()));
      } else {
        known.forEach(tunnel -> book.retain(tunnel.identity(), now));
      }
    }
  }

  private LeaseStore.Change end(TunnelRecord tunnel, long now) {
    Lease lease = tunnel.lease();
    return lease == null || retentionMillis == 0
        ? new LeaseStore.Change.Released(tunnel.identity())
        : new LeaseStore.Change.Kept(
            new LeaseStore.KeptPort(tunnel.identity(), tunnel.transport(), lease.port(), now));
  }

  /// How many ports are kept for ended tunnels.
  int keptPorts() {
    return book.keptPorts();
  }

  /// Reserves a port; returns why it cannot be, empty when it is.
  ///
  /// @throws IOException when it could not be written down; then it is not
  Optional<String> reserve(Reservation reservation) throws IOException {
    book.expire(clock.millis(), retentionMillis);
    var obstacle = book.obstacleTo(reservation);
    if (obstacle.isEmpty()) {
      store.write(List.of(new LeaseStore.Change.Reserved(reservation)));
      book.reserve(reservation);
    }
    return obstacle;
  }

  /// Ends a reservation, if there is one.
  ///
  /// @throws IOException when it could not be written down; then it still is
  void unreserve(Transport transport, int port) throws IOException {
    store.write(List.of(new LeaseStore.Change.Unreserved(transport, port)));
    book.unreserve(transport, port);
  }

  /// All reservations, in no order.
  List<Reservation> reservations() {
    return book.reservations();
  }

  /// For a port just granted that the system refuses to bind: takes the grant back and keeps the
  /// port from being granted, so that the tunnel's next request is given another.
  ///
  /// @param before what the tunnel was before the grant; null when it was not known
  public void refusedBySystem(TunnelRecord granted, @Nullable TunnelRecord before)
      throws IOException {
    Lease lease = granted.lease();
    if (lease == null) {
      throw new IllegalArgumentException("granted: without a lease " + granted.identity());
    }
    store.write(
        List.of(
            before == null
                ? new LeaseStore.Change.Released(granted.identity())
                : new LeaseStore.Change.Held(before)));
    book.undo(granted.identity(), before);
    book.markUnbindable(granted.transport(), lease.port());
  }

  /// See [LeaseBook#markBindable].
  public void markBindable(Transport transport, int port) {
    book.markBindable(transport, port);
  }

  /// See [LeaseBook#at].
  public Optional<TunnelRecord> at(Transport transport, int port) {
    return book.at(transport, port);
  }

  /// See [LeaseBook#of].
  public Optional<TunnelRecord> of(TunnelIdentity identity) {
    return book.of(identity);
  }

  /// See [LeaseBook#tunnels].
  public List<TunnelRecord> tunnels() {
    return book.tunnels();
  }
}
