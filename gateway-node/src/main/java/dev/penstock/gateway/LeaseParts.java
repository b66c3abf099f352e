package dev.penstock.gateway;

import com.typesafe.config.Config;
import dev.penstock.gateway.cluster.ClusterSettings;
import dev.penstock.gateway.leases.DatabaseLeaseStore;
import dev.penstock.gateway.leases.LeaseAuthority;
import dev.penstock.gateway.leases.LeaseStore;
import dev.penstock.gateway.leases.Leases;
import dev.penstock.gateway.leases.LocalLeases;
import dev.penstock.gateway.leases.sharded.ShardedLeases;
import dev.penstock.gateway.leases.sharded.StoreRefused;
import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Predicate;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorSystem;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Who decides on leases: this node by itself with a file of its own, or all nodes of its cluster
/// with the database that they share.
sealed interface LeaseParts extends Closeable {
  /// Opens and checks what lasts of leases. Blocks.
  ///
  /// @throws dev.penstock.config.ConfigException the database is another cluster's or none is named
  /// @throws IOException it cannot be used
  static LeaseParts open(GatewaySettings settings) throws IOException {
    ClusterSettings cluster = settings.cluster();
    return cluster == null ? Alone.open(settings) : OfCluster.open(settings, cluster);
  }

  /// What the actor system is to be started with.
  List<Config> config();

  /// Begins to decide, once the actor system is where it belongs. Once.
  ///
  /// @param leaving whether the node at an address is about to leave
  LeaseAuthority start(ActorSystem<?> actors, Predicate<Address> leaving);

  /// Of a gateway of one node.
  record Alone(LeaseStore store, Leases leases) implements LeaseParts {
    private static final Logger log = LoggerFactory.getLogger(LeaseParts.class);

    private static LeaseParts open(GatewaySettings settings) throws IOException {
      LeaseStore store = DatabaseLeaseStore.open(settings.dataDir());
      try {
        var leases = Leases.open(store, settings.leasePolicy());
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
    public LeaseAuthority start(ActorSystem<?> actors, Predicate<Address> leaving) {
      return new LocalLeases(leases);
    }

    @Override
    public void close() throws IOException {
      store.close();
    }
  }

  /// Of a node of a cluster.
  record OfCluster(GatewaySettings settings) implements LeaseParts {
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
      try {
        ShardedLeases.prepare(settings.store(), nameOf(cluster));
      } catch (StoreRefused e) {
        throw settings
            .origins()
            .refuse("store.url", url, "a database of this cluster: " + e.getMessage());
      }
      return new OfCluster(settings);
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
    public LeaseAuthority start(ActorSystem<?> actors, Predicate<Address> leaving) {
      return ShardedLeases.start(
          actors, settings.leasePolicy(), settings.leases().retention(), leaving);
    }

    @Override
    public void close() {
      // The database is the actor system's to let go of.
    }
  }
}
