package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.gateway.leases.StoreSettings;
import dev.penstock.gateway.leases.sharded.ShardedLeases;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import org.junit.jupiter.api.Test;

/// What the tables of the leases refuse on PostgreSQL.
class LeaseStoreSystemTest {
  private static void write(Connection connection, String entity, long number) throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement(
            """
            INSERT INTO penstock_event (persistence_id, sequence_number, writer, event_payload,
              event_ser_id, event_ser_manifest) VALUES (?, ?, 'w', '', 1, '')
            """)) {
      insert.setString(1, entity);
      insert.setLong(2, number);
      insert.executeUpdate();
    }
  }

  private static void assertRefused(Connection connection, String entity, long number) {
    assertThatThrownBy(() -> write(connection, entity, number))
        .isInstanceOf(SQLException.class)
        .hasMessageContaining("comes after a later one");
  }

  @Test
  void anEntityThatWasReplacedCannotWriteEvenWhereTheEventsOfItsTimeAreDeleted() throws Exception {
    try (var database = RealServer.postgres()) {
      String url = "jdbc:postgresql://" + database.address() + "/postgres";
      var store = new StoreSettings(url, "postgres", null, 4);
      ShardedLeases.prepare(store, "one");
      try (Connection connection = DriverManager.getConnection(url, "postgres", "");
          var statement = connection.createStatement()) {
        for (long number = 1; number <= 5; number++) {
          write(connection, "block", number);
        }
        statement.execute("UPDATE penstock_event SET deleted = true WHERE sequence_number <= 4");
        statement.execute("DELETE FROM penstock_event WHERE sequence_number < 4");
        for (long number = 1; number <= 3; number++) {
          assertRefused(connection, "block", number);
        }
        write(connection, "block", 6);
        write(connection, "another", 1);

        // A database of the version before, which did not refuse it, is completed.
        statement.execute("DROP TRIGGER penstock_refuse_late_event ON penstock_event");
        statement.execute("UPDATE penstock_store SET version = 1");
        ShardedLeases.prepare(store, "one");
        assertRefused(connection, "block", 2);
        write(connection, "block", 7);
      }
    }
  }
}
