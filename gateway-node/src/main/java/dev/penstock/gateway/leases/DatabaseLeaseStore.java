package dev.penstock.gateway.leases;

import static java.util.Objects.requireNonNull;

import dev.penstock.gateway.leases.TunnelRecord.Origin;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.h2.api.ErrorCode;
import org.h2.jdbcx.JdbcDataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Tunnels in a directory: an H2 database in one file, `tunnels.mv.db`. A lock on `lock` keeps
/// other gateways out.
///
/// Every write is one transaction, and one forced write to the disk before it returns. A process
/// killed in the middle of a write leaves the file as it was before: H2 only ever appends to it,
/// and what it superseded is left behind by writing everything anew into another file, which then
/// takes the place of the first. That is done when the file has grown to four times its size after
/// the last time, and to [#WRITTEN_ANEW_ABOVE] at least. What is no such database stops the
/// gateway; it never guesses who has a port.
public final class DatabaseLeaseStore implements LeaseStore {
  private static final int SCHEMA_VERSION = 2;
  private static final String NAME = "tunnels";
  private static final String SUFFIX = ".mv.db";

  /// Bytes of a file that is not worth being written anew.
  static final long WRITTEN_ANEW_ABOVE = 16L * 1024 * 1024;

  private static final int GROWTH = 4;

  /// H2 is to use no part of the file again, not even when it closes it: a process that is killed
  /// while it does can leave a file that refers to what is no longer there.
  private static final String APPENDS_ONLY =
      ";RETENTION_TIME=" + Integer.MAX_VALUE + ";AUTO_COMPACT_FILL_RATE=0;MAX_COMPACT_TIME=0";

  private static final Logger log = LoggerFactory.getLogger(DatabaseLeaseStore.class);

  /// What version 2 has more than version 1.
  private static final String[] SINCE_2 = {
    """
    CREATE TABLE kept (
      transport VARCHAR(3) NOT NULL CHECK transport IN ('tcp', 'udp'),
      port INT NOT NULL CHECK port BETWEEN 1 AND 65535,
      cluster VARCHAR(253) NOT NULL,
      tunnel_id VARCHAR(253) NOT NULL,
      since BIGINT NOT NULL,
      PRIMARY KEY (transport, port))
    """,
    """
    CREATE TABLE reservation (
      transport VARCHAR(3) NOT NULL CHECK transport IN ('tcp', 'udp'),
      port INT NOT NULL CHECK port BETWEEN 1 AND 65535,
      cluster VARCHAR(253) NOT NULL,
      PRIMARY KEY (transport, port))
    """,
    "UPDATE store SET schema_version = " + SCHEMA_VERSION
  };

  private static final String[] SCHEMA = {
    "CREATE TABLE store (schema_version INT NOT NULL, highest_fencing BIGINT NOT NULL)",
    """
    CREATE TABLE tunnel (
      cluster VARCHAR(253) NOT NULL,
      tunnel_id VARCHAR(253) NOT NULL,
      transport VARCHAR(3) NOT NULL CHECK transport IN ('tcp', 'udp'),
      port INT CHECK port BETWEEN 1 AND 65535,
      fencing BIGINT CHECK fencing > 0,
      origin VARCHAR(12) NOT NULL CHECK origin IN ('registration', 'sync'),
      registration VARCHAR(1048576) NOT NULL,
      PRIMARY KEY (cluster, tunnel_id),
      CONSTRAINT one_tunnel_for_a_port UNIQUE (transport, port),
      CONSTRAINT a_lease_is_whole CHECK (port IS NULL) = (fencing IS NULL))
    """,
    "INSERT INTO store VALUES (" + SCHEMA_VERSION + ", 0)"
  };

  private final Path file;
  private final FileChannel lockFile;
  private final long writtenAnewAbove;
  private Database database;

  /// Bytes of the file beyond which it is written anew.
  private long limit;

  private boolean broken;

  private DatabaseLeaseStore(
      Path file, FileChannel lockFile, Database database, long writtenAnewAbove)
      throws IOException {
    this.file = file;
    this.lockFile = lockFile;
    this.database = database;
    this.writtenAnewAbove = writtenAnewAbove;
    this.limit = writtenAnewAbove;
    writeAnewWhenLarge();
  }

  /// One open file.
  private static final class Database {
    final Connection connection;
    private final PreparedStatement put;
    private final PreparedStatement remove;
    private final PreparedStatement raiseFencing;
    private final PreparedStatement unkeep;
    private final PreparedStatement keep;
    private final PreparedStatement reserve;
    private final PreparedStatement unreserve;
    private final Statement flush;

    Database(Connection connection) throws SQLException {
      this.connection = connection;
      put =
          connection.prepareStatement(
              "MERGE INTO tunnel (cluster, tunnel_id, transport, port, fencing, origin,"
                  + " registration) KEY (cluster, tunnel_id) VALUES (?, ?, ?, ?, ?, ?, ?)");
      remove =
          connection.prepareStatement("DELETE FROM tunnel WHERE cluster = ? AND tunnel_id = ?");
      raiseFencing =
          connection.prepareStatement(
              "UPDATE store SET highest_fencing = ?1 WHERE highest_fencing < ?1");
      unkeep =
          connection.prepareStatement(
              "DELETE FROM kept WHERE (transport = ? AND port = ?) OR (cluster = ? AND tunnel_id ="
                  + " ?)");
      keep =
          connection.prepareStatement(
              "MERGE INTO kept (transport, port, cluster, tunnel_id, since) KEY (transport, port)"
                  + " VALUES (?, ?, ?, ?, ?)");
      reserve =
          connection.prepareStatement(
              "MERGE INTO reservation (transport, port, cluster) KEY (transport, port) VALUES (?, ?,"
                  + " ?)");
      unreserve =
          connection.prepareStatement("DELETE FROM reservation WHERE transport = ? AND port = ?");
      flush = connection.createStatement();
    }

    void put(TunnelRecord tunnel) throws SQLException {
      put.setString(1, tunnel.identity().cluster());
      put.setString(2, tunnel.identity().tunnelId());
      put.setString(3, label(tunnel.transport()));
      Lease lease = tunnel.lease();
      if (lease == null) {
        put.setNull(4, Types.INTEGER);
        put.setNull(5, Types.BIGINT);
      } else {
        put.setInt(4, lease.port());
        put.setLong(5, lease.fencing());
        unkeep(tunnel.transport(), lease.port(), tunnel.identity());
      }
      put.setString(6, tunnel.origin().name().toLowerCase(Locale.ROOT));
      put.setString(7, tunnel.registration());
      put.executeUpdate();
    }

    void remove(TunnelIdentity identity) throws SQLException {
      remove.setString(1, identity.cluster());
      remove.setString(2, identity.tunnelId());
      remove.executeUpdate();
    }

    private void unkeep(Transport transport, int port, TunnelIdentity identity)
        throws SQLException {
      unkeep.setString(1, label(transport));
      unkeep.setInt(2, port);
      unkeep.setString(3, identity.cluster());
      unkeep.setString(4, identity.tunnelId());
      unkeep.executeUpdate();
    }

    void keep(KeptPort port) throws SQLException {
      unkeep(port.transport(), port.port(), port.identity());
      keep.setString(1, label(port.transport()));
      keep.setInt(2, port.port());
      keep.setString(3, port.identity().cluster());
      keep.setString(4, port.identity().tunnelId());
      keep.setLong(5, port.since());
      keep.executeUpdate();
    }

    void reserve(Reservation reservation) throws SQLException {
      reserve.setString(1, label(reservation.transport()));
      reserve.setInt(2, reservation.port());
      reserve.setString(3, reservation.cluster());
      reserve.executeUpdate();
    }

    void unreserve(Transport transport, int port) throws SQLException {
      unreserve.setString(1, label(transport));
      unreserve.setInt(2, port);
      unreserve.executeUpdate();
    }

    void raiseFencing(long highest) throws SQLException {
      raiseFencing.setLong(1, highest);
      raiseFencing.executeUpdate();
    }

    /// H2 writes a commit half a second later and never forces it to the disk by itself.
    void force() throws SQLException {
      flush.execute("CHECKPOINT SYNC");
    }
  }

  /// The directory belongs to another gateway.
  public static final class InUse extends IOException {
    InUse(Path directory) {
      super(directory + " is used by another gateway (expected: a directory of its own)");
    }
  }

  /// The file is no database of a gateway, or of one that is newer.
  public static final class Unusable extends IOException {
    Unusable(Path file, String problem, Throwable cause) {
      this(file, problem);
      initCause(cause);
    }

    Unusable(Path file, String problem) {
      super(file + ": " + problem);
    }
  }

  /// Takes the directory and opens the database in it; both are made when they are not there.
  ///
  /// @throws InUse when another gateway has it
  /// @throws Unusable when the file is none of ours
  public static DatabaseLeaseStore open(Path directory) throws IOException {
    return open(directory, WRITTEN_ANEW_ABOVE);
  }

  /// As [#open(Path)].
  ///
  /// @param writtenAnewAbove bytes
  static DatabaseLeaseStore open(Path directory, long writtenAnewAbove) throws IOException {
    Path absolute = directory.toAbsolutePath();
    if (absolute.toString().indexOf(';') >= 0) {
      throw new IOException(directory + ": has a semicolon (expected: a path without one)");
    }
    Files.createDirectories(absolute);
    FileChannel lockFile = lock(directory);
    Path file = absolute.resolve(NAME + SUFFIX);
    try {
      if (!Files.exists(file)) {
        create(file, new Stored(List.of(), 0));
      }
      return new DatabaseLeaseStore(file, lockFile, database(file), writtenAnewAbove);
    } catch (IOException e) {
      lockFile.close();
      throw e;
    }
  }

  private static Database database(Path file) throws IOException {
    try {
      Connection connection = connect(file);
      try {
        requireSchema(connection, file);
        return new Database(connection);
      } catch (IOException | SQLException e) {
        leave(connection, e);
        throw e;
      }
    } catch (SQLException e) {
      throw failure(file, e);
    }
  }

  /// A database appears under its name only when it is whole, so that one without tables is known
  /// to be damaged.
  private static void create(Path file, Stored content) throws IOException {
    Path fresh = file.resolveSibling(NAME + "-new" + SUFFIX);
    Files.deleteIfExists(fresh);
    try (Connection connection = connect(fresh);
        Statement statement = connection.createStatement()) {
      for (String sql : SCHEMA) {
        statement.execute(sql);
      }
      for (String sql : SINCE_2) {
        statement.execute(sql);
      }
      var database = new Database(connection);
      for (TunnelRecord tunnel : content.tunnels()) {
        database.put(tunnel);
      }
      for (KeptPort port : content.kept()) {
        database.keep(port);
      }
      for (Reservation reservation : content.reservations()) {
        database.reserve(reservation);
      }
      database.raiseFencing(content.highestFencing());
      connection.commit();
    } catch (SQLException e) {
      throw failure(fresh, e);
    }
    force(fresh);
    Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
    force(requireNonNull(file.getParent()));
  }

  private static void force(Path path) throws IOException {
    try (var channel = FileChannel.open(path, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  /// Writes nothing to a file that is not ours.
  private static void leave(Connection connection, Exception why) {
    try (Statement statement = connection.createStatement()) {
      statement.execute("SHUTDOWN IMMEDIATELY");
    } catch (SQLException e) {
      why.addSuppressed(e);
    }
  }

  private static FileChannel lock(Path directory) throws IOException {
    FileChannel lockFile =
        FileChannel.open(
            directory.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      FileLock lock = lockFile.tryLock();
      if (lock != null) {
        return lockFile;
      }
    } catch (OverlappingFileLockException _) {
      // A gateway of this process has it.
    } catch (IOException e) {
      lockFile.close();
      throw e;
    }
    lockFile.close();
    throw new InUse(directory);
  }

  private static Connection connect(Path file) throws SQLException {
    String path = file.toString();
    var source = new JdbcDataSource();
    source.setURL(
        "jdbc:h2:file:"
            + path.substring(0, path.length() - SUFFIX.length())
            + ";DB_CLOSE_ON_EXIT=FALSE;TRACE_LEVEL_FILE=0"
            + APPENDS_ONLY);
    Connection connection = source.getConnection();
    connection.setAutoCommit(false);
    return connection;
  }

  private static void requireSchema(Connection connection, Path file)
      throws SQLException, IOException {
    try (Statement statement = connection.createStatement();
        ResultSet version = statement.executeQuery("SELECT schema_version FROM store")) {
      int found = version.next() ? version.getInt(1) : 0;
      if (found == 1) {
        try (Statement upgrade = connection.createStatement()) {
          for (String sql : SINCE_2) {
            upgrade.execute(sql);
          }
        }
        connection.commit();
      } else if (found != SCHEMA_VERSION) {
        throw new Unusable(
            file,
            "has schema version "
                + found
                + " (expected: "
                + SCHEMA_VERSION
                + "); a newer gateway wrote it: run that one, or give this one another directory");
      }
    }
  }

  @Override
  public Stored load() throws IOException {
    var tunnels = new ArrayList<TunnelRecord>();
    try (Statement statement = database.connection.createStatement()) {
      long highest;
      try (ResultSet row = statement.executeQuery("SELECT highest_fencing FROM store")) {
        highest = row.next() ? row.getLong(1) : 0;
      }
      try (ResultSet row =
          statement.executeQuery(
              "SELECT cluster, tunnel_id, transport, port, fencing, origin, registration FROM"
                  + " tunnel")) {
        while (row.next()) {
          int port = row.getInt(4);
          tunnels.add(
              new TunnelRecord(
                  new TunnelIdentity(row.getString(1), row.getString(2)),
                  transport(row.getString(3)),
                  port == 0 ? null : new Lease(port, row.getLong(5)),
                  Origin.valueOf(row.getString(6).toUpperCase(Locale.ROOT)),
                  row.getString(7)));
        }
      }
      return new Stored(tunnels, highest, kept(statement), reservations(statement));
    } catch (SQLException e) {
      throw failure(file, e);
    }
  }

  private static List<KeptPort> kept(Statement statement) throws SQLException {
    var kept = new ArrayList<KeptPort>();
    try (ResultSet row =
        statement.executeQuery(
            "SELECT cluster, tunnel_id, transport, port, since FROM kept ORDER BY since")) {
      while (row.next()) {
        kept.add(
            new KeptPort(
                new TunnelIdentity(row.getString(1), row.getString(2)),
                transport(row.getString(3)),
                row.getInt(4),
                row.getLong(5)));
      }
    }
    return kept;
  }

  private static List<Reservation> reservations(Statement statement) throws SQLException {
    var reservations = new ArrayList<Reservation>();
    try (ResultSet row =
        statement.executeQuery("SELECT transport, port, cluster FROM reservation")) {
      while (row.next()) {
        reservations.add(
            new Reservation(transport(row.getString(1)), row.getInt(2), row.getString(3)));
      }
    }
    return reservations;
  }

  private static Transport transport(String label) {
    return Transport.valueOf(label.toUpperCase(Locale.ROOT));
  }

  private static String label(Transport transport) {
    return transport.name().toLowerCase(Locale.ROOT);
  }

  @Override
  public void write(List<Change> changes) throws IOException {
    if (broken) {
      throw new IOException(file + ": an earlier write failed half-way and could not be undone");
    }
    try {
      long highest = 0;
      for (Change change : changes) {
        switch (change) {
          case Change.Held(var tunnel) -> {
            database.put(tunnel);
            Lease lease = tunnel.lease();
            highest = Math.max(highest, lease == null ? 0 : lease.fencing());
          }
          case Change.Released(var identity) -> database.remove(identity);
          case Change.Kept(var port) -> {
            database.remove(port.identity());
            database.keep(port);
          }
          case Change.Reserved(var reservation) -> database.reserve(reservation);
          case Change.Unreserved(var transport, int port) -> database.unreserve(transport, port);
        }
      }
      database.raiseFencing(highest);
      database.connection.commit();
    } catch (SQLException e) {
      undo(e);
      throw failure(file, e);
    }
    force();
    writeAnewWhenLarge();
  }

  /// Leaves behind what was superseded. What was written lasts whether this succeeds or not.
  private void writeAnewWhenLarge() throws IOException {
    if (Files.size(file) <= limit) {
      return;
    }
    Stored content = load();
    try {
      database.connection.close();
      create(file, content);
    } catch (IOException | SQLException e) {
      log.atWarn()
          .addKeyValue("file", file)
          .addKeyValue("cause", e.getMessage())
          .log("the database could not be written anew; it goes on growing");
    }
    try {
      database = database(file);
    } catch (IOException e) {
      broken = true;
      throw e;
    }
    limit = Math.max(writtenAnewAbove, GROWTH * Files.size(file));
  }

  private void force() throws IOException {
    try {
      database.force();
    } catch (SQLException e) {
      // Committed but not known to last: whatever is said of it could be wrong.
      broken = true;
      throw failure(file, e);
    }
  }

  private void undo(SQLException cause) {
    try {
      database.connection.rollback();
    } catch (SQLException e) {
      broken = true;
      cause.addSuppressed(e);
    }
  }

  @Override
  public void close() throws IOException {
    try (lockFile) {
      database.connection.close();
    } catch (SQLException e) {
      throw failure(file, e);
    }
  }

  /// H2's texts end with the statement and a number of its own, which help nobody here.
  private static IOException failure(Path file, SQLException e) {
    String text = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
    return switch (e.getErrorCode()) {
      case ErrorCode.DATABASE_ALREADY_OPEN_1 ->
          new Unusable(file, "another program has it open (expected: only this gateway)", e);
      case ErrorCode.FILE_CORRUPTED_1,
          ErrorCode.FILE_VERSION_ERROR_1,
          ErrorCode.GENERAL_ERROR_1,
          ErrorCode.TABLE_OR_VIEW_NOT_FOUND_1,
          ErrorCode.TABLE_OR_VIEW_NOT_FOUND_DATABASE_EMPTY_1,
          ErrorCode.WRONG_USER_OR_PASSWORD ->
          new Unusable(
              file,
              "cannot be read as a gateway's database ("
                  + text
                  + "); restore it from a copy, or move it away to start without tunnels",
              e);
      default -> new IOException(file + ": " + text, e);
    };
  }
}
