package dev.penstock.gateway.leases.sharded;

import dev.penstock.gateway.cluster.Founding;
import dev.penstock.gateway.cluster.NodeId;
import dev.penstock.gateway.cluster.Pulse;
import dev.penstock.gateway.cluster.PulseStore;
import dev.penstock.gateway.leases.StoreSettings;
import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The nodes' signs of life in the database of the port leases: the table `penstock_node`, made
/// when it is not there. On a connection of its own, which is opened again after a failure.
final class StorePulses implements PulseStore {
  /// A cluster has a hundred nodes at most; more lines than that are of nodes long gone.
  private static final int MAX_NODES = 10_000;

  private final StoreSettings store;
  private @Nullable Connection connection;

  StorePulses(StoreSettings store) {
    this.store = store;
  }

  private interface Work<T> {
    T run(Connection connection) throws SQLException;
  }

  private <T> T inDatabase(Work<T> work) throws IOException {
    try {
      Connection open = connection;
      if (open == null) {
        open = LeaseSchema.connect(store);
        connection = open;
        create(open);
      }
      return work.run(open);
    } catch (SQLException e) {
      close();
      throw new IOException(LeaseSchema.firstLine(e), e);
    }
  }

  /// Whoever is not allowed to make tables can be given this one.
  private static void create(Connection open) throws SQLException {
    if (LeaseSchema.hasTable(open, "penstock_node")) {
      return;
    }
    try (Statement create = open.createStatement()) {
      create.execute(
          "CREATE TABLE IF NOT EXISTS penstock_node (address VARCHAR(300) PRIMARY KEY, node"
              + " VARCHAR(330) NOT NULL, founding BIGINT NOT NULL, founder VARCHAR(330) NOT NULL,"
              + " beat BIGINT NOT NULL)");
    }
  }

  @Override
  public List<Pulse> all() throws IOException {
    return inDatabase(open -> {
      var all = new ArrayList<Pulse>();
      try (Statement select = open.createStatement()) {
        select.setMaxRows(MAX_NODES);
        try (ResultSet row =
            select.executeQuery("SELECT node, founding, founder, beat FROM penstock_node")) {
          while (row.next()) {
            var founding = new Founding(row.getLong(2), row.getString(3));
            long beat = row.getLong(4);
            NodeId.parse(row.getString(1))
                .ifPresent(node -> all.add(new Pulse(node, founding, beat)));
          }
        }
      }
      return all;
    });
  }

  @Override
  public void write(Pulse pulse) throws IOException {
    inDatabase(open -> {
      if (change(
              open,
              "UPDATE penstock_node SET node = ?, founding = ?, founder = ?, beat = ? WHERE address"
                  + " = ?",
              pulse)
          == 0) {
        change(
            open,
            "INSERT INTO penstock_node (node, founding, founder, beat, address) VALUES (?, ?, ?, ?,"
                + " ?)",
            pulse);
      }
      return pulse;
    });
  }

  private static int change(Connection open, String sql, Pulse pulse) throws SQLException {
    try (PreparedStatement change = open.prepareStatement(sql)) {
      change.setString(1, pulse.node().toString());
      change.setLong(2, pulse.founding().number());
      change.setString(3, pulse.founding().founder());
      change.setLong(4, pulse.beat());
      change.setString(5, pulse.node().address().toString());
      return change.executeUpdate();
    }
  }

  @Override
  public void remove(NodeId node) throws IOException {
    inDatabase(open -> {
      try (PreparedStatement delete =
          open.prepareStatement("DELETE FROM penstock_node WHERE node = ?")) {
        delete.setString(1, node.toString());
        return delete.executeUpdate();
      }
    });
  }

  @Override
  public void close() {
    Connection open = connection;
    connection = null;
    if (open != null) {
      try {
        open.close();
      } catch (SQLException e) {
        // It was broken, and is gone in any case.
      }
    }
  }
}
