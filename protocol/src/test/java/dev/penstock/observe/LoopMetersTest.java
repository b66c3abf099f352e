package dev.penstock.observe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.node.NodeSystem;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.SpawnProtocol;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
final class LoopMetersTest {
  private final NodeSystem node = NodeSystem.start("lag", 1);
  private final PrometheusRegistry registry = new PrometheusRegistry();
  private final CountDownLatch stuck = new CountDownLatch(1);

  @AfterEach
  void end() {
    stuck.countDown();
    node.close();
  }

  private void hold() {
    try {
      stuck.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void aLoopThatIsHeldUpIsSeenByItsLagAndByWhatWaits() {
    LoopMeters.start(registry, "penstock_gateway", node.loops(), node.actors());
    await().untilAsserted(() -> assertThat(lag("loop-0").getCount()).isPositive());
    long before = lag("loop-0").getCount();
    node.loops().get(0).execute(this::hold);
    for (int i = 0; i < 5; i++) {
      node.loops().get(0).execute(() -> {});
    }
    assertThat(gauge("penstock_gateway_loop_tasks")).isGreaterThanOrEqualTo(5);
    await().pollDelay(Duration.ofMillis(1500)).until(() -> lag("default").getCount() > 1);
    stuck.countDown();
    await().until(() -> lag("loop-0").getCount() > before);
    assertThat(lag("loop-0").getSum()).isGreaterThan(0.2);
    assertThat(lag("blocking").getCount()).isPositive();
    assertThat(gauge("penstock_gateway_loop_tasks")).isLessThan(5);
  }

  @Test
  void messagesThatWaitForAnActorAreCounted() {
    LoopMeters meters = LoopMeters.start(registry, "penstock_gateway", node.loops(), node.actors());
    ActorRef<String> slow =
        AskPattern.<SpawnProtocol.Command, ActorRef<String>>ask(
                node.actors(),
                replyTo ->
                    new SpawnProtocol.Spawn<>(
                        Behaviors.<String>receiveMessage(_ -> {
                          hold();
                          return Behaviors.same();
                        }),
                        "slow",
                        DispatcherSelector.blocking(),
                        replyTo),
                Duration.ofSeconds(10),
                node.actors().scheduler())
            .toCompletableFuture()
            .join();
    meters.watch("slow", slow);
    assertThat(gauge("penstock_gateway_mailbox_messages")).isZero();
    for (int i = 0; i < 4; i++) {
      slow.tell("wait");
    }
    await().until(() -> gauge("penstock_gateway_mailbox_messages") == 3);
  }

  @ParameterizedTest
  @CsvSource({
    "penstock_gateway, Work that waits at a gateway",
    "penstock_agent, Work that waits at an agent"
  })
  void thePageHasEverySeries(String prefix, String section) throws Exception {
    LoopMeters.start(registry, prefix, node.loops(), node.actors()).watch("nobody", node.actors());
    List<MetricsPage.Series> page = MetricsPage.section(section);
    await()
        .untilAsserted(() ->
            assertThat(MetricsPage.of(registry))
                .allSatisfy(series ->
                    assertThat(page)
                        .filteredOn(told -> told.name().equals(series.name()))
                        .singleElement()
                        .satisfies(told -> {
                          assertThat(told.type()).isEqualTo(series.type());
                          assertThat(told.meaning()).isEqualTo(series.meaning());
                          assertThat(keys(told)).isEqualTo(keys(series));
                        })));
    assertThat(page).hasSameSizeAs(MetricsPage.of(registry));
  }

  private static List<String> keys(MetricsPage.Series series) {
    return series.labels().stream().map(it -> it.replaceAll("=.*", "")).distinct().toList();
  }

  private MetricSnapshot snapshot(String name) {
    return registry.scrape().stream()
        .filter(it -> it.getMetadata().getPrometheusName().equals(name))
        .findFirst()
        .orElseThrow();
  }

  private HistogramSnapshot.HistogramDataPointSnapshot lag(String dispatcher) {
    return ((HistogramSnapshot) snapshot("penstock_gateway_dispatcher_lag_seconds"))
        .getDataPoints().stream()
            .filter(it -> dispatcher.equals(it.getLabels().get("dispatcher")))
            .findFirst()
            .orElseThrow();
  }

  private double gauge(String name) {
    return ((GaugeSnapshot) snapshot(name))
        .getDataPoints().stream().mapToDouble(GaugeSnapshot.GaugeDataPointSnapshot::getValue).sum();
  }
}
