package dev.penstock.management;

import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.instrumentation.jvm.JvmBufferPoolMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmGarbageCollectorMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmMemoryMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmRuntimeInfoMetric;
import io.prometheus.metrics.instrumentation.jvm.ProcessMetrics;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.lang.management.ManagementFactory;
import org.jspecify.annotations.Nullable;

/// Metrics of the JVM and its process: memory, buffers, garbage collection, threads, CPU, open
/// files.
///
/// They begin to exist at the first scrape, because loading the JVM's management classes costs a
/// noticeable part of the time to start. The library's thread metrics are not among them: each
/// scrape would look for deadlocks, which stops all threads.
public final class JvmMeters {
  private JvmMeters() {}

  /// To be called once per registry.
  public static void register(PrometheusRegistry registry) {
    registry.register(new AtFirstScrape());
  }

  private static PrometheusRegistry create() {
    var registry = new PrometheusRegistry();
    JvmMemoryMetrics.builder().register(registry);
    JvmBufferPoolMetrics.builder().register(registry);
    JvmGarbageCollectorMetrics.builder().register(registry);
    JvmRuntimeInfoMetric.builder().register(registry);
    ProcessMetrics.builder().register(registry);
    var threads = ManagementFactory.getThreadMXBean();
    GaugeWithCallback.builder()
        .name("jvm_threads_current")
        .help("Platform threads that are alive.")
        .callback(gauge -> gauge.call(threads.getThreadCount()))
        .register(registry);
    return registry;
  }

  private static final class AtFirstScrape implements MultiCollector {
    private @Nullable PrometheusRegistry created;

    @Override
    public MetricSnapshots collect() {
      return registry().scrape();
    }

    private synchronized PrometheusRegistry registry() {
      if (created == null) {
        created = create();
      }
      return created;
    }
  }
}
