package dev.penstock.observe;

import dev.penstock.protocol.net.EventLoops;
import dev.penstock.protocol.net.Loop;
import io.prometheus.metrics.core.datapoints.DistributionDataPoint;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.pekko.actor.ActorRefWithCell;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.Adapter;

/// How long work waits for its turn: every second each event loop and each dispatcher of the actor
/// system is given a task and measured by when it runs it, and what waits is counted at each
/// scrape. Ends with the loops. Safe for use by several threads.
public final class LoopMeters {
  private static final Duration EVERY = Duration.ofSeconds(1);

  private final Map<String, ActorRef<?>> actors = new LinkedHashMap<>();

  private LoopMeters() {}

  /// To be called once per registry.
  ///
  /// @param prefix of all names: `penstock_gateway` or `penstock_agent`
  public static LoopMeters start(
      PrometheusRegistry registry, String prefix, EventLoops loops, ActorSystem<?> system) {
    var meters = new LoopMeters();
    Histogram lag =
        Histogram.builder()
            .name(prefix + "_dispatcher_lag_seconds")
            .help("How long a task waited for its turn, tried once a second, by where it ran.")
            .labelNames("dispatcher")
            .classicOnly()
            .classicUpperBounds(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
            .register(registry);
    List<Loop> all = new ArrayList<>();
    for (int i = 0; i < loops.size(); i++) {
      all.add(loops.get(i));
    }
    GaugeWithCallback.builder()
        .name(prefix + "_loop_tasks")
        .help("Tasks that wait for an event loop: messages of actors, work of other threads.")
        .labelNames("dispatcher")
        .callback(sample -> all.forEach(loop -> sample.call(loop.waiting(), name(loop))))
        .register(registry);
    GaugeWithCallback.builder()
        .name(prefix + "_mailbox_messages")
        .help("Messages that wait for an actor of which there is one per node.")
        .labelNames("actor")
        .callback(sample -> meters.mailboxes().forEach((name, count) -> sample.call(count, name)))
        .register(registry);
    for (Loop loop : all) {
      new LoopProbe(loop, lag.labelValues(name(loop))).plan();
    }
    var probes =
        List.of(
            new DispatcherProbe(
                system.dispatchers().lookup(DispatcherSelector.defaultDispatcher()),
                lag.labelValues("default")),
            new DispatcherProbe(
                system.dispatchers().lookup(DispatcherSelector.blocking()),
                lag.labelValues("blocking")));
    system
        .scheduler()
        .scheduleWithFixedDelay(
            EVERY, EVERY, () -> probes.forEach(DispatcherProbe::probe), system.executionContext());
    return meters;
  }

  /// Counts what waits for this actor from now on.
  public synchronized void watch(String name, ActorRef<?> actor) {
    actors.put(name, actor);
  }

  private synchronized Map<String, Integer> mailboxes() {
    var counted = new LinkedHashMap<String, Integer>();
    actors.forEach((name, actor) ->
        counted.put(
            name,
            Adapter.toClassic(actor) instanceof ActorRefWithCell cell
                ? cell.underlying().numberOfMessages()
                : 0));
    return counted;
  }

  private static String name(Loop loop) {
    return "loop-" + loop.index();
  }

  /// Measures how late a loop is with what it planned.
  private record LoopProbe(Loop loop, DistributionDataPoint lag) {
    void plan() {
      long due = System.nanoTime() + EVERY.toNanos();
      loop.schedule(
          EVERY,
          () -> {
            lag.observe(Math.max(0, System.nanoTime() - due) / 1e9);
            plan();
          });
    }
  }

  /// Measures how long a dispatcher takes to begin a task; one at a time.
  private record DispatcherProbe(
      Executor dispatcher, DistributionDataPoint lag, AtomicBoolean running) {
    DispatcherProbe(Executor dispatcher, DistributionDataPoint lag) {
      this(dispatcher, lag, new AtomicBoolean());
    }

    void probe() {
      if (running.compareAndSet(false, true)) {
        long asked = System.nanoTime();
        dispatcher.execute(() -> {
          lag.observe((System.nanoTime() - asked) / 1e9);
          running.set(false);
        });
      }
    }
  }
}
