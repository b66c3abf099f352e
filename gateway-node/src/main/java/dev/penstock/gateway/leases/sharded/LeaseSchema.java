package dev.penstock.gateway.leases.sharded;

import dev.penstock.config.Secret;
import dev.penstock.gateway.leases.StoreSettings;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The tables of the store: made when they are not there, checked and completed when they are.
/// Blocks.
///
/// An entity that was replaced while its node stood still must not write when the node goes on. The
/// key of the events keeps it from that only as long as the ones that took its numbers are there,
/// and they are deleted once a snapshot has them. So the database also refuses an event when there
/// is a later one of the same entity, and the latest is never deleted.
final class LeaseSchema {
  /// 1 had no such refusal.
  private static final int VERSION = 2;

  private static final int NONE = 0;

  /// Statements are apart by an empty line: a function has semicolons of its own.
  private static final Pattern BETWEEN_STATEMENTS = Pattern.compile(";\\R\\R");

  /// Nodes that start at the same time may get into each other's way.
  private static final int ATTEMPTS = 5;

  private static final String H2_CONNECTION_BROKEN = "90067";

  private LeaseSchema() {}

  /// Makes or checks the tables.
  ///
  /// @param cluster what tells this cluster of gateways from others
  /// @throws StoreAway when it does not answer
  /// @throws StoreRefused when the database is of a newer gateway or of another cluster, or refuses
  ///   this one
  /// @throws IOException when it cannot be used
  static void prepare(StoreSettings store, String cluster) throws IOException {
    SQLException last = null;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      try (Connection connection = connect(store)) {
        prepare(connection, cluster);
        return;
      } catch (SQLException e) {
        if (isAway(e)) {
          throw new StoreAway(firstLine(e), e);
        }
        if (isRefusal(e)) {
          throw new StoreRefused("the database refuses this gateway (" + firstLine(e) + ")");
        }
        last = e;
      }
    }
    throw new IOException("store.url: the database cannot be used (" + firstLine(last) + ")", last);
  }

  /// By the SQL standard's classes of states: no connection, too many of them, not to be used now.
  private static boolean isAway(SQLException e) {
    String state = String.valueOf(e.getSQLState());
    return state.startsWith("08")
        || state.startsWith("53")
        || state.startsWith("57P")
        || state.equals(H2_CONNECTION_BROKEN);
  }

  /// A wrong user or password, or a database that is not there.
  private static boolean isRefusal(SQLException e) {
    String state = String.valueOf(e.getSQLState());
    return state.startsWith("28") || state.equals("3D000");
  }

  /// A connection of its own.
  ///
  /// @throws StoreRefused when `store.url` is none
  static Connection connect(StoreSettings store) throws SQLException, StoreRefused {
    String url = StoreConfig.url(store);
    try {
      DriverManager.getDriver(url);
    } catch (SQLException e) {
      throw new StoreRefused("no URL that the driver of the database understands");
    }
    var properties = new Properties();
    String user = store.user();
    if (user != null) {
      properties.setProperty("user", user);
    }
    Secret password = store.password();
    if (password != null) {
      properties.setProperty("password", password.reveal());
    }
    return DriverManager.getConnection(url, properties);
  }

  private static void prepare(Connection connection, String cluster)
      throws SQLException, IOException {
    boolean postgresql = connection.getMetaData().getURL().startsWith("jdbc:postgresql:");
    String script = postgresql ? "postgresql.sql" : "h2.sql";
    // A database that is not ours is not touched.
    if (!hasTable(connection, "penstock_store")) {
      create(connection, script);
    }
    int version = check(connection, cluster);
    if (version == NONE) {
      try (PreparedStatement insert =
          connection.prepareStatement("INSERT INTO penstock_store VALUES (1, ?, ?)")) {
        insert.setInt(1, VERSION);
        insert.setString(2, cluster);
        insert.executeUpdate();
      }
      check(connection, cluster);
    } else if (version < VERSION) {
      create(connection, script);
      try (PreparedStatement update =
          connection.prepareStatement("UPDATE penstock_store SET version = ?")) {
        update.setInt(1, VERSION);
        update.executeUpdate();
      }
    }
  }

  static boolean hasTable(Connection connection, String name) throws SQLException {
    try (PreparedStatement find =
        connection.prepareStatement(
            "SELECT 1 FROM information_schema.tables WHERE lower(table_name) = ?")) {
      find.setString(1, name);
      try (ResultSet found = find.executeQuery()) {
        return found.next();
      }
    }
  }

  /// Every statement does nothing when what it makes is there, so that a half-made schema is
  /// completed.
  private static void create(Connection connection, String resource)
      throws SQLException, IOException {
    try (InputStream in = LeaseSchema.class.getResourceAsStream(resource);
        Statement statement = connection.createStatement()) {
      if (in == null) {
        throw new IllegalStateException(resource + ": not in the program (expected: beside it)");
      }
      String script = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      for (String sql : BETWEEN_STATEMENTS.split(script, -1)) {
        statement.execute(sql);
      }
    }
  }

  /// The version of a database that is ours; [#NONE] when it does not say whose it is.
  private static int check(Connection connection, String cluster)
      throws SQLException, StoreRefused {
    try (Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery("SELECT version, cluster FROM penstock_store")) {
      if (!row.next()) {
        return NONE;
      }
      int version = row.getInt(1);
      if (version > VERSION) {
        throw new StoreRefused(
            "the database has schema version "
                + version
                + " (expected: at most "
                + VERSION
                + "); a newer gateway wrote it: run that one, or give this one another database");
      }
      if (!row.getString(2).equals(cluster)) {
        throw new StoreRefused(
            "the database belongs to another cluster of gateways (expected: one of its"
                + " own for each cluster, or the same cluster name and secret on all nodes)");
      }
      return version;
    }
  }

  static String firstLine(@Nullable SQLException e) {
    return e == null ? "" : String.valueOf(e.getMessage()).lines().findFirst().orElse("");
  }
}
