package dev.penstock.gateway.leases;

import dev.penstock.gateway.leases.LeaseResult.Change;
import dev.penstock.gateway.leases.LeaseResult.Granted;
import java.io.IOException;
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

  private record Undo(TunnelIdentity identity, @Nullable TunnelRecord before) {}

  private Leases(LeaseStore store, LeaseBook book, List<String> warnings) {
    this.store = store;
    this.book = book;
    this.warnings = warnings;
  }

  /// Loads the store, which stays its opener's to close.
  public static Leases open(LeaseStore store, LeasePolicy policy) throws IOException {
    var stored = store.load();
    var book = new LeaseBook(policy, stored.tunnels(), stored.highestFencing());
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
    return new Leases(store, book, List.copyOf(warnings));
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
    }
    return results;
  }

  /// See [LeaseBook#release]; unknown ones are passed over.
  ///
  /// @throws IOException when the releases could not be written down; the tunnels then still are
  public void releaseAll(Collection<TunnelIdentity> identities) throws IOException {
    var known = identities.stream().filter(identity -> book.of(identity).isPresent()).toList();
    if (!known.isEmpty()) {
      store.write(known.stream().<LeaseStore.Change>map(LeaseStore.Change.Released::new).toList());
      known.forEach(book::release);
    }
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
