package dev.penstock.gateway.leases.sharded;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.gateway.leases.StoreSettings;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.SQLIntegrityConstraintViolationException;
import org.junit.jupiter.api.Test;

/// On H2; `LeaseStoreSystemTest` does the same on PostgreSQL.
class LeaseSchemaTest {
  private static String memory(String name) {
    return "jdbc:h2:mem:" + name + ";DB_CLOSE_DELAY=-1";
  }

  private static Connection prepared(String url) throws Exception {
    ShardedLeases.prepare(new StoreSettings(url, null, null, 4), "one");
    return DriverManager.getConnection(url);
  }

  private static void write(Connection connection, String entity, long number) throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement(
            """
            INSERT INTO "penstock_event" ("persistence_id", "sequence_number", "writer",
              "write_timestamp", "adapter_manifest", "event_payload", "event_ser_id",
              "event_ser_manifest") VALUES (?, ?, 'w', 0, '', '', 1, '')
            """)) {
      insert.setString(1, entity);
      insert.setLong(2, number);
      insert.executeUpdate();
    }
  }

  /// As the journal does after a snapshot: all before the last of them are deleted, that one is
  /// marked.
  private static void deleteUpTo(Connection connection, String entity, long number)
      throws SQLException {
    for (String sql :
        new String[] {
          "UPDATE \"penstock_event\" SET \"deleted\" = TRUE WHERE \"persistence_id\" = ? AND"
              + " \"sequence_number\" <= ?",
          "DELETE FROM \"penstock_event\" WHERE \"persistence_id\" = ? AND \"sequence_number\" < ?"
        }) {
      try (PreparedStatement statement = connection.prepareStatement(sql)) {
        statement.setString(1, entity);
        statement.setLong(2, number);
        statement.executeUpdate();
      }
    }
  }

  private static void assertRefused(Connection connection, String entity, long number) {
    assertThatThrownBy(() -> write(connection, entity, number))
        .isInstanceOf(SQLIntegrityConstraintViolationException.class);
  }

  @Test
  void anEntityThatWasReplacedCannotWriteEvenWhereTheEventsOfItsTimeAreDeleted() throws Exception {
    try (Connection connection = prepared(memory("late"))) {
      for (long number = 1; number <= 5; number++) {
        write(connection, "block", number);
      }
      deleteUpTo(connection, "block", 4);
      for (long number = 1; number <= 5; number++) {
        assertRefused(connection, "block", number);
      }
      write(connection, "block", 6);
      write(connection, "another", 1);
    }
  }

  @Test
  void aDatabaseOfTheVersionBeforeIsCompleted() throws Exception {
    String url = memory("before");
    try (Connection connection = prepared(url);
        var statement = connection.createStatement()) {
      statement.execute(
          "ALTER TABLE \"penstock_event\" DROP CONSTRAINT \"penstock_refuse_late_event\"");
      statement.execute("UPDATE penstock_store SET version = 1");
      write(connection, "block", 1);
      write(connection, "block", 3);
      prepared(url).close();
      assertRefused(connection, "block", 2);
      write(connection, "block", 4);
    }
  }
}
