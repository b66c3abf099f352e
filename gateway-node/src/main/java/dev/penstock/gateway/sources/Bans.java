package dev.penstock.gateway.sources;

import dev.penstock.access.Cidr;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Predicate;

/// Sources that no tunnel serves until a time, as operators want it: on this node, and through
/// whoever listens on the others. They are not kept over the end of the last node.
///
/// Memory: at most [#MAX_ADDRESSES] single addresses and [#MAX_NETWORKS] networks, of about 200
/// bytes each. Safe for use by several threads; looking costs one look-up and a walk over the
/// networks, and nothing where there is no ban.
public final class Bans {
  public static final int MAX_ADDRESSES = 10_000;
  public static final int MAX_NETWORKS = 200;

  /// One ban.
  ///
  /// @param source who is meant
  /// @param reason for people; may be empty
  /// @param by who made it
  /// @param createdAt milliseconds since 1970
  /// @param expiresAt the same
  public record Ban(Cidr source, String reason, String by, long createdAt, long expiresAt) {
    /// Its name in paths.
    public String id() {
      return source.toString().replace('/', '-');
    }

    private boolean isOfOneAddress() {
      return source.prefix() == source.network().getAddress().length * 8;
    }
  }

  /// What was changed here.
  public sealed interface Change {
    record Made(Ban ban) implements Change {}

    record Lifted(Ban ban) implements Change {}
  }

  private record Table(Map<InetAddress, Ban> addresses, List<Ban> networks) {
    static Table of(Iterable<Ban> bans) {
      var addresses = new HashMap<InetAddress, Ban>();
      var networks = new ArrayList<Ban>();
      for (Ban ban : bans) {
        if (ban.isOfOneAddress()) {
          addresses.put(ban.source().network(), ban);
        } else {
          networks.add(ban);
        }
      }
      return new Table(addresses, networks);
    }

    boolean isEmpty() {
      return addresses.isEmpty() && networks.isEmpty();
    }
  }

  private final Map<String, Ban> all = new LinkedHashMap<>();
  private final List<Consumer<Change>> listeners = new CopyOnWriteArrayList<>();
  private volatile Consumer<Ban> enforcer = _ -> {};
  private volatile Table table = new Table(Map.of(), List.of());

  /// Whether a source is banned.
  public boolean contains(InetAddress address) {
    Table now = table;
    return !now.isEmpty() && contains(now, address, System.currentTimeMillis());
  }

  private static boolean contains(Table now, InetAddress address, long millis) {
    Ban single = now.addresses().get(address);
    if (single != null && single.expiresAt() > millis) {
      return true;
    }
    for (Ban network : now.networks()) {
      if (network.expiresAt() > millis && network.source().contains(address)) {
        return true;
      }
    }
    return false;
  }

  /// Has every change that is made here told, on the thread that makes it.
  public void subscribe(Consumer<Change> listener) {
    listeners.add(listener);
  }

  /// Has every ban that is new here told, wherever it was made, on any thread.
  public void enforcedBy(Consumer<Ban> whoever) {
    enforcer = whoever;
  }

  /// Makes a ban in place of one of the same source; false when there are too many.
  public boolean make(Ban ban) {
    synchronized (this) {
      forgetExpired(System.currentTimeMillis());
      if (!all.containsKey(ban.id())) {
        long alike =
            all.values().stream().filter(it -> it.isOfOneAddress() == ban.isOfOneAddress()).count();
        if (alike >= (ban.isOfOneAddress() ? MAX_ADDRESSES : MAX_NETWORKS)) {
          return false;
        }
      }
      all.put(ban.id(), ban);
      table = Table.of(all.values());
    }
    enforcer.accept(ban);
    listeners.forEach(listener -> listener.accept(new Change.Made(ban)));
    return true;
  }

  /// Ends a ban; empty when there is none of that id.
  public Optional<Ban> lift(String id) {
    Ban lifted;
    synchronized (this) {
      lifted = all.remove(id);
      table = Table.of(all.values());
    }
    if (lifted != null) {
      listeners.forEach(listener -> listener.accept(new Change.Lifted(lifted)));
    }
    return Optional.ofNullable(lifted);
  }

  /// What other nodes have made and lifted: all bans whose ids `mine` accepts are these now.
  public void told(Predicate<String> mine, List<Ban> bans) {
    long now = System.currentTimeMillis();
    var fresh = new ArrayList<Ban>();
    synchronized (this) {
      var before = new HashMap<>(all);
      all.keySet().removeIf(mine);
      for (Ban ban : bans) {
        if (ban.expiresAt() > now) {
          all.put(ban.id(), ban);
          if (!ban.equals(before.get(ban.id()))) {
            fresh.add(ban);
          }
        }
      }
      table = Table.of(all.values());
    }
    fresh.forEach(enforcer);
  }

  /// Those in force.
  public synchronized List<Ban> all() {
    forgetExpired(System.currentTimeMillis());
    return List.copyOf(all.values());
  }

  private void forgetExpired(long now) {
    if (all.values().removeIf(ban -> ban.expiresAt() <= now)) {
      table = Table.of(all.values());
    }
  }
}
