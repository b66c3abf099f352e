package dev.penstock.agent.kubernetes.publish;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.agent.kubernetes.watch.ApiServer;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderCallbacks;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderElectionConfig;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderElector;
import io.fabric8.kubernetes.client.extended.leaderelection.resourcelock.LeaseLock;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Takes part in the election of the one agent that writes, as long as it is open. Losing the
/// office restarts nothing: this agent stands again.
public final class Leadership implements AutoCloseable {
  /// Whether this agent may write.
  public enum Office {
    LEADER,
    FOLLOWER
  }

  /// The Lease that is held, and the times of its holder.
  ///
  /// @param identity who this agent is among those that stand
  /// @param duration how long a holder that is not heard of keeps it
  /// @param renewDeadline how long a holder tries to renew before it stops
  /// @param retryPeriod between two tries
  public record Terms(
      String namespace,
      String name,
      String identity,
      Duration duration,
      Duration renewDeadline,
      Duration retryPeriod) {}

  private static final Logger log = LoggerFactory.getLogger(Leadership.class);

  private static final String LEASES = "/apis/coordination.k8s.io/v1/namespaces/";

  private final ApiServer api;
  private final Terms terms;
  private final Consumer<Office> changed;
  private final ScheduledExecutorService again =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("kubernetes-lease").factory());
  private final Executor calls = Executors.newVirtualThreadPerTaskExecutor();
  private @Nullable CompletableFuture<?> standing;
  private boolean closed;

  /// @param changed is told whenever this agent wins or loses the office; on any thread
  public Leadership(ApiServer api, Terms terms, Consumer<Office> changed) {
    this.api = api;
    this.terms = terms;
    this.changed = changed;
  }

  /// Stands for election, from now on.
  public synchronized void start() {
    if (closed) {
      return;
    }
    var elector =
        new LeaderElector(
            api.client(),
            new LeaderElectionConfig(
                new LeaseLock(terms.namespace(), terms.name(), terms.identity()),
                terms.duration(),
                terms.renewDeadline(),
                terms.retryPeriod(),
                new LeaderCallbacks(
                    () -> tell(Office.LEADER), () -> tell(Office.FOLLOWER), this::heard),
                false,
                terms.name()),
            calls);
    standing = elector.start();
    standing.whenComplete((_, failed) -> ended(failed));
  }

  private void tell(Office office) {
    log.atInfo()
        .addKeyValue("lease", terms.namespace() + "/" + terms.name())
        .addKeyValue("office", office)
        .log("the writer of the cluster was elected");
    changed.accept(office);
  }

  private void heard(String leader) {
    log.atDebug().addKeyValue("leader", leader).log("an agent holds the lease");
  }

  private synchronized void ended(@Nullable Throwable failed) {
    if (!closed) {
      if (failed != null) {
        log.atWarn()
            .addKeyValue("cause", failed.getMessage())
            .log("the election ended and begins again");
      }
      again.schedule(this::start, terms.retryPeriod().toMillis(), TimeUnit.MILLISECONDS);
    }
  }

  /// Lets go of the office, so that another agent need not wait for its end. Blocks for two calls.
  @Override
  public void close() {
    CompletableFuture<?> last;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      last = standing;
    }
    again.shutdownNow();
    if (last != null) {
      last.cancel(true);
    }
    try {
      giveBack();
    } catch (RuntimeException e) {
      log.atInfo()
          .addKeyValue("cause", e.getMessage())
          .log("the lease could not be given back and ends by itself");
    }
  }

  private void giveBack() {
    String path = LEASES + terms.namespace() + "/leases/" + terms.name();
    if (api.get(path) instanceof ObjectNode lease
        && lease.get("spec") instanceof ObjectNode spec
        && spec.path("holderIdentity").asText().equals(terms.identity())) {
      spec.put("holderIdentity", "");
      api.send("PUT", path, lease);
    }
  }
}
