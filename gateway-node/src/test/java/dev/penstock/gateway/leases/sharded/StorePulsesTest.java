package dev.penstock.gateway.leases.sharded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.config.HostPort;
import dev.penstock.gateway.cluster.Founding;
import dev.penstock.gateway.cluster.NodeId;
import dev.penstock.gateway.cluster.Pulse;
import dev.penstock.gateway.cluster.PulseStore;
import dev.penstock.gateway.leases.StoreSettings;
import java.io.IOException;
import java.sql.DriverManager;
import org.junit.jupiter.api.Test;

/// On H2; the nodes of the system tests do the same on PostgreSQL.
class StorePulsesTest {
  private static final NodeId NODE = new NodeId(new HostPort("10.0.0.1", 7355), -5);
  private static final Founding FOUNDING = new Founding(3, NODE.toString());

  private static PulseStore open(String name) {
    return ShardedLeases.pulses(
        new StoreSettings("jdbc:h2:mem:" + name + ";DB_CLOSE_DELAY=-1", null, null, 4));
  }

  @Test
  void whatOneNodeWritesAnotherReads() throws Exception {
    try (PulseStore one = open("pulses");
        PulseStore two = open("pulses")) {
      assertThat(two.all()).isEmpty();
      one.write(new Pulse(NODE, FOUNDING, 1));
      assertThat(two.all()).containsExactly(new Pulse(NODE, FOUNDING, 1));
      var other = new Pulse(new NodeId(new HostPort("::1", 7355), 9), Founding.UNKNOWN, 1);
      two.write(other);
      one.write(new Pulse(NODE, FOUNDING, 2));
      assertThat(two.all()).containsExactlyInAnyOrder(new Pulse(NODE, FOUNDING, 2), other);
    }
  }

  @Test
  void anAddressHasOneSignAndANodeTakesBackOnlyItsOwn() throws Exception {
    try (PulseStore store = open("lives")) {
      store.write(new Pulse(NODE, FOUNDING, 1));
      var anew = new Pulse(new NodeId(NODE.address(), 6), FOUNDING, 1);
      store.write(anew);
      store.remove(NODE);
      assertThat(store.all()).containsExactly(anew);
      store.remove(anew.node());
      assertThat(store.all()).isEmpty();
    }
  }

  @Test
  void aConnectionThatBrokeIsOpenedAgain() throws Exception {
    try (PulseStore store = open("broken")) {
      store.write(new Pulse(NODE, FOUNDING, 1));
      try (var connection = DriverManager.getConnection("jdbc:h2:mem:broken");
          var shutdown = connection.createStatement()) {
        shutdown.execute("SHUTDOWN");
      }
      assertThatThrownBy(store::all).isInstanceOf(IOException.class);
      // In memory: it is another database then.
      assertThat(store.all()).isEmpty();
    }
  }

  @Test
  void aDatabaseThatIsAwayIsAnError() {
    try (PulseStore store =
        ShardedLeases.pulses(
            new StoreSettings("jdbc:h2:tcp://127.0.0.1:1/./none", null, null, 4))) {
      assertThatThrownBy(store::all)
          .isInstanceOf(IOException.class)
          .hasMessageContaining("Connection is broken");
    }
  }
}
