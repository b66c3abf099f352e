package dev.penstock.gateway.leases;

import dev.penstock.config.PortRange;
import dev.penstock.gateway.leases.LeaseResult.Change;
import dev.penstock.gateway.leases.LeaseResult.Granted;
import dev.penstock.gateway.leases.LeaseStore.LeaseEvent;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// A [LeaseBook] that lasts: whatever it grants or releases is in the store before it is told. One
/// owner; calls may block for as long as the disk takes.
public final class Leases {
  private final LeaseStore store;
  private final LeaseBook book;
  private final List<String> warnings;

  private Leases(LeaseStore store, LeaseBook book, List<String> warnings) {
    this.store = store;
    this.book = book;
    this.warnings = warnings;
  }

  /// Loads the store, which stays its opener's to close.
  public static Leases open(LeaseStore store, PortRange range) throws IOException {
    var stored = store.load();
    var book = new LeaseBook(range, stored.leases(), stored.highestFencing());
    var warnings = new ArrayList<>(stored.warnings());
    for (Lease lease : book.outOfRange()) {
      warnings.add(
          "port "
              + lease.port()
              + " is leased but no longer in "
              + range
              + "; its tunnel will be given another");
    }
    return new Leases(store, book, List.copyOf(warnings));
  }

  /// What the operator should know of what was loaded.
  public List<String> warnings() {
    return warnings;
  }

  /// See [LeaseBook#lease].
  ///
  /// @throws IOException when the grant could not be written down; it then was never made
  public LeaseResult lease(LeaseRequest request) throws IOException {
    var before = book.leaseOf(request.identity(), request.transport());
    LeaseResult result = book.lease(request);
    if (result instanceof Granted(var lease, var change) && change != Change.NONE) {
      try {
        store.append(new LeaseEvent.Held(lease));
      } catch (IOException e) {
        book.undo(lease, before.orElse(null));
        throw e;
      }
    }
    return result;
  }

  /// See [LeaseBook#release].
  ///
  /// @throws IOException when the release could not be written down; the lease then still holds
  public Optional<Lease> release(TunnelIdentity identity, Transport transport) throws IOException {
    if (book.leaseOf(identity, transport).isPresent()) {
      store.append(new LeaseEvent.Released(identity, transport));
    }
    return book.release(identity, transport);
  }

  /// For a port that the system refuses to bind: gives its tunnel up and keeps the port from being
  /// granted, so that the tunnel's next request is given another.
  public void refusedBySystem(Transport transport, int port) throws IOException {
    book.markUnbindable(transport, port);
    var lease = book.at(transport, port);
    if (lease.isPresent()) {
      release(lease.get().identity(), transport);
    }
  }

  /// See [LeaseBook#markBindable].
  public void markBindable(Transport transport, int port) {
    book.markBindable(transport, port);
  }

  /// See [LeaseBook#at].
  public Optional<Lease> at(Transport transport, int port) {
    return book.at(transport, port);
  }

  /// See [LeaseBook#isCurrent].
  public boolean isCurrent(Lease lease) {
    return book.isCurrent(lease);
  }

  /// See [LeaseBook#leases].
  public List<Lease> leases() {
    return book.leases();
  }
}
