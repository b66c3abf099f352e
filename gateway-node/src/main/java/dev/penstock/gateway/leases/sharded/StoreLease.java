package dev.penstock.gateway.leases.sharded;

import com.typesafe.config.Config;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.coordination.lease.LeaseSettings;
import org.apache.pekko.coordination.lease.javadsl.Lease;

/// A lease of Pekko's in the database of the port leases: a line of `penstock_lease`, which one
/// owner has at a time. The split brain resolver takes it before a part of a cluster lives on. Made
/// by Pekko by its name. Safe for use by several threads; nothing blocks.
///
/// Whoever neither releases it nor acquires it again loses it when the time-out of its heartbeats
/// has passed, by the clock of the database. When the database does not answer, stages fail, which
/// counts as a lease that cannot be had.
public final class StoreLease extends Lease {
  private static final String DATABASE = "pekko-persistence-jdbc.shared-databases.penstock.db";
  private static final Executor THREADS = task -> Thread.ofVirtual().name("lease").start(task);

  private final LeaseSettings settings;
  private final Config config;
  private final Duration validity;
  private volatile long heldUntil = System.nanoTime();

  /// For Pekko, which calls this by reflection.
  public StoreLease(LeaseSettings settings, ExtendedActorSystem system) {
    this.settings = settings;
    this.config = system.settings().config();
    this.validity = settings.timeoutSettings().getHeartbeatTimeout();
  }

  @Override
  public LeaseSettings getSettings() {
    return settings;
  }

  @Override
  public CompletionStage<Boolean> acquire() {
    long asked = System.nanoTime();
    return inDatabase(
            connection -> {
              try (Statement create = connection.createStatement()) {
                create.execute(
                    "CREATE TABLE IF NOT EXISTS penstock_lease (name VARCHAR(255) PRIMARY KEY, owner"
                        + " VARCHAR(255) NOT NULL, until TIMESTAMP WITH TIME ZONE NOT NULL)");
              }
              return take(connection) || insert(connection);
            })
        .thenApply(taken -> {
          if (taken) {
            heldUntil = asked + validity.toNanos();
          }
          return taken;
        });
  }

  /// Nobody is told of the loss: the resolver holds the lease for less than its validity.
  @Override
  public CompletionStage<Boolean> acquire(Consumer<Optional<Throwable>> leaseLost) {
    return acquire();
  }

  @Override
  public CompletionStage<Boolean> release() {
    heldUntil = System.nanoTime();
    return inDatabase(connection -> {
      try (PreparedStatement delete =
          connection.prepareStatement("DELETE FROM penstock_lease WHERE name = ? AND owner = ?")) {
        delete.setString(1, settings.leaseName());
        delete.setString(2, settings.ownerName());
        delete.executeUpdate();
        return true;
      }
    });
  }

  @Override
  public boolean checkLease() {
    return heldUntil - System.nanoTime() > 0;
  }

  private boolean take(Connection connection) throws SQLException {
    try (PreparedStatement take =
        connection.prepareStatement(
            "UPDATE penstock_lease SET owner = ?, until = CURRENT_TIMESTAMP + "
                + interval()
                + " WHERE name = ? AND (owner = ? OR until < CURRENT_TIMESTAMP)")) {
      take.setString(1, settings.ownerName());
      take.setString(2, settings.leaseName());
      take.setString(3, settings.ownerName());
      return take.executeUpdate() == 1;
    }
  }

  /// The first one there is; two who try at once have a conflict of keys, which one of them loses.
  private boolean insert(Connection connection) throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO penstock_lease (name, owner, until) SELECT ?, ?, CURRENT_TIMESTAMP + "
                + interval()
                + " WHERE NOT EXISTS (SELECT 1 FROM penstock_lease WHERE name = ?)")) {
      insert.setString(1, settings.leaseName());
      insert.setString(2, settings.ownerName());
      insert.setString(3, settings.leaseName());
      return insert.executeUpdate() == 1;
    }
  }

  private String interval() {
    return "INTERVAL '" + Math.max(1, validity.toSeconds()) + "' SECOND";
  }

  private interface Work {
    boolean run(Connection connection) throws SQLException;
  }

  private CompletionStage<Boolean> inDatabase(Work work) {
    return CompletableFuture.supplyAsync(
        () -> {
          try (Connection connection = connect()) {
            return work.run(connection);
          } catch (SQLException e) {
            throw new CompletionException(e);
          }
        },
        THREADS);
  }

  private Connection connect() throws SQLException {
    Config database = config.getConfig(DATABASE);
    var properties = new Properties();
    for (String key : new String[] {"user", "password"}) {
      if (database.hasPath(key)) {
        properties.setProperty(key, database.getString(key));
      }
    }
    return DriverManager.getConnection(database.getString("url"), properties);
  }
}
