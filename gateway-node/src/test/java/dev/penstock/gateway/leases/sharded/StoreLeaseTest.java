package dev.penstock.gateway.leases.sharded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.typesafe.config.ConfigFactory;
import dev.penstock.gateway.leases.StoreSettings;
import java.time.Duration;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.coordination.lease.javadsl.Lease;
import org.apache.pekko.coordination.lease.javadsl.LeaseProvider;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class StoreLeaseTest {
  private ActorSystem system;

  private void start(String url, String validity) {
    system =
        ActorSystem.create(
            "lease",
            ConfigFactory.parseString(
                    "lab.lease { lease-class = \""
                        + StoreLease.class.getName()
                        + "\", heartbeat-timeout = "
                        + validity
                        + ", heartbeat-interval = 100 ms, lease-operation-timeout = 5 s }")
                .withFallback(ShardedLeases.config(new StoreSettings(url, null, null, 2)))
                .withFallback(ConfigFactory.load()));
  }

  private Lease lease(String owner) {
    return LeaseProvider.get(system).getLease("sbr", "lab.lease", owner);
  }

  @AfterEach
  void end() {
    system.terminate();
  }

  private static boolean done(CompletionStage<Boolean> stage) throws Exception {
    return stage.toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  @Test
  void oneOwnerHasItUntilItIsReleased() throws Exception {
    start("jdbc:h2:mem:lease;DB_CLOSE_DELAY=-1", "1 minute");
    Lease one = lease("one");
    Lease two = lease("two");
    assertThat(done(one.acquire())).isTrue();
    assertThat(done(two.acquire())).isFalse();
    assertThat(done(one.acquire())).isTrue();
    assertThat(one.checkLease()).isTrue();
    assertThat(two.checkLease()).isFalse();
    // Releasing what one has not changes nothing.
    assertThat(done(two.release())).isTrue();
    assertThat(done(two.acquire())).isFalse();
    assertThat(done(one.release())).isTrue();
    assertThat(one.checkLease()).isFalse();
    assertThat(done(two.acquire())).isTrue();
  }

  @Test
  void itIsLostByAnOwnerThatIsGone() throws Exception {
    start("jdbc:h2:mem:expires;DB_CLOSE_DELAY=-1", "1 s");
    assertThat(done(lease("one").acquire())).isTrue();
    Lease two = lease("two");
    await().atMost(Duration.ofSeconds(20)).until(() -> done(two.acquire()));
  }

  @Test
  void nobodyHasItWithoutTheDatabase() {
    start("jdbc:h2:tcp://127.0.0.1:1/./none", "1 minute");
    assertThatThrownBy(() -> done(lease("one").acquire()))
        .hasStackTraceContaining("Connection is broken");
  }
}
