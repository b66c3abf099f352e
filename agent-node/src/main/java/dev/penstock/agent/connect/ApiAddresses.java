package dev.penstock.agent.connect;

import java.net.URI;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/// The addresses of the gateway's API, of which one is called until it fails: then the next has its
/// turn. Safe for use by several threads.
public final class ApiAddresses {
  private final List<URI> all;
  private final AtomicInteger current = new AtomicInteger();

  /// @param all at least one
  public ApiAddresses(List<URI> all) {
    if (all.isEmpty()) {
      throw new IllegalArgumentException("all: empty (expected: at least one address)");
    }
    this.all = List.copyOf(all);
  }

  /// In the order in which they were given.
  public List<URI> all() {
    return all;
  }

  /// The one to call.
  public URI current() {
    return all.get(Math.floorMod(current.get(), all.size()));
  }

  /// A call to `address` failed, and perhaps it was not the first to notice.
  public void failed(URI address) {
    int index = current.get();
    if (all.get(Math.floorMod(index, all.size())).equals(address)) {
      current.compareAndSet(index, index + 1);
    }
  }
}
