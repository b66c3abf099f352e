package dev.penstock.gateway;

import static java.util.Objects.requireNonNull;

import com.typesafe.config.Config;
import dev.penstock.gateway.cluster.ClusterSettings;
import dev.penstock.gateway.leases.DatabaseLeaseStore;
import dev.penstock.gateway.leases.LeaseAuthority;
import dev.penstock.gateway.leases.LeaseMeters;
import dev.penstock.gateway.leases.LeaseStore;
import dev.penstock.gateway.leases.Leases;
import dev.penstock.gateway.leases.LocalLeases;
import dev.penstock.gateway.leases.sharded.ShardedLeases;
import dev.penstock.gateway.leases.sharded.StoreAway;
import dev.penstock.gateway.leases.sharded.StoreRefused;
import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.pekko.actor.typed.ActorSystem;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Who decides on leases: this node by itself with a file of its own, or all nodes of its cluster
/// with the database that they share.
sealed interface LeaseParts extends Closeable {
  Logger log = LoggerFactory.getLogger(LeaseParts.class);

  /// Opens and checks what lasts of leases. Blocks.
  ///
  /// @throws dev.penstock.config.ConfigException the database is another cluster's or none is named
  /// @throws IOException it cannot be used; that it does not answer is no reason
  static LeaseParts open(GatewaySettings settings) throws IOException {
    ClusterSettings cluster = settings.cluster();
    return cluster == null ? Alone.open(settings) : OfCluster.open(settings, cluster);
  }

  /// What the actor system is to be started with.
  List<Config> config();

  /// Returns once the store has answered and was checked, which may take as long as it likes.
  ///
  /// @throws dev.penstock.config.ConfigException the database is another cluster's
  /// @throws IOException it cannot be used
  void awaitStore() throws IOException;

  /// What [#awaitStore] waits for, for `/readyz`; empty when it need not.
  List<String> notReadyBecause();

  /// Begins to decide, once the store is there and the actor system is where it belongs. Once.
  LeaseAuthority start(ActorSystem<?> actors, LeaseMeters meters);

  /// Of a gateway of one node.
  record Alone(LeaseStore store, Leases leases) implements LeaseParts {
    private static LeaseParts open(GatewaySettings settings) throws IOException {
      LeaseStore store = DatabaseLeaseStore.open(settings.dataDir());
      try {
        var leases =
            Leases.open(
                store,
                settings.leasePolicy(),
                settings.leases().retention(),
                InstantSource.system());
        leases.warnings().forEach(log::warn);
        return new Alone(store, leases);
      } catch (IOException | RuntimeException e) {
        store.close();
        throw e;
      }
    }

    @Override
    public List<Config> config() {
      return List.of();
    }

    @Override
    public void awaitStore() {
      // It was opened before.
    }

    @Override
    public List<String> notReadyBecause() {
      return List.of();
    }

    @Override
    public LeaseAuthority start(ActorSystem<?> actors, LeaseMeters meters) {
      return new LocalLeases(leases, meters);
    }

    @Override
    public void close() throws IOException {
      store.close();
    }
  }

  /// Of a node of a cluster.
  ///
  /// @param away why the store is not there yet, in words; empty once it was checked
  record OfCluster(GatewaySettings settings, String name, AtomicReference<String> away)
      implements LeaseParts {
    private static final Duration FIRST_DELAY = Duration.ofMillis(500);
    private static final Duration LAST_DELAY = Duration.ofSeconds(10);

    private static LeaseParts open(GatewaySettings settings, ClusterSettings cluster)
        throws IOException {
      String url = settings.store().url();
      if (url == null) {
        throw settings
            .origins()
            .refuse(
                "store.url",
                "none",
                "the database that the nodes of the cluster share, such as"
                    + " jdbc:postgresql://db/penstock");
      }
      var parts = new OfCluster(settings, nameOf(cluster), new AtomicReference<>(""));
      parts.prepare(url);
      return parts;
    }

    private void prepare(String url) throws IOException {
      try {
        ShardedLeases.prepare(settings.store(), name);
        away.set("");
      } catch (StoreAway e) {
        if (away.getAndSet(String.valueOf(e.getMessage())).isEmpty()) {
          log.atWarn()
              .addKeyValue("cause", e.getMessage())
              .log("the database of the leases does not answer; waiting for it");
        }
      } catch (StoreRefused e) {
        throw settings
            .origins()
            .refuse("store.url", url, "a database of this cluster: " + e.getMessage());
      }
    }

    @Override
    public void awaitStore() throws IOException {
      if (away.get().isEmpty()) {
        return;
      }
      var delay = FIRST_DELAY;
      while (!away.get().isEmpty()) {
        try {
          // Nobody counts it down: a pause that an interrupt ends.
          new CountDownLatch(1).await(delay.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new IOException("interrupted", e);
        }
        delay = delay.compareTo(LAST_DELAY) < 0 ? delay.multipliedBy(2) : LAST_DELAY;
        prepare(requireNonNull(settings.store().url()));
      }
      log.info("the database of the leases answers");
    }

    @Override
    public List<String> notReadyBecause() {
      String why = away.get();
      return why.isEmpty() ? List.of() : List.of("waiting for the database at store.url: " + why);
    }

    /// Tells the cluster from others, without telling its secret.
    private static String nameOf(ClusterSettings cluster) {
      try {
        byte[] digest =
            MessageDigest.getInstance("SHA-256")
                .digest(
                    ("penstock store\n" + cluster.name() + "\n" + cluster.secret().reveal())
                        .getBytes(StandardCharsets.UTF_8));
        return cluster.name() + " " + HexFormat.of().formatHex(digest, 0, 8);
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException("every JDK has SHA-256", e);
      }
    }

    @Override
    public List<Config> config() {
      return List.of(ShardedLeases.config(settings.store()));
    }

    @Override
    public LeaseAuthority start(ActorSystem<?> actors, LeaseMeters meters) {
      return ShardedLeases.start(
          actors, settings.leasePolicy(), settings.leases().retention(), meters);
    }

    @Override
    public void close() {
      // The database is the actor system's to let go of.
    }
  }
}
