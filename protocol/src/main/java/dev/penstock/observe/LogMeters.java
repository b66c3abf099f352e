package dev.penstock.observe;

import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/// What became of lines of the log, and of spans.
public final class LogMeters {
  private LogMeters() {}

  /// To be called once per registry.
  ///
  /// @param prefix of all names: `penstock_gateway` or `penstock_agent`
  public static void register(PrometheusRegistry registry, String prefix, AccessLog access) {
    CounterWithCallback.builder()
        .name(prefix + "_access_lines_total")
        .help("Lines of the access log that were written.")
        .callback(sample -> sample.call((double) access.written()))
        .register(registry);
    CounterWithCallback.builder()
        .name(prefix + "_log_dropped_total")
        .help("Lines that were not written: too many of the access log, or nobody took them.")
        .labelNames("log")
        .callback(sample -> {
          sample.call((double) access.dropped(), "access");
          sample.call((double) BoundedAppender.dropped(), "all");
        })
        .register(registry);
    CounterWithCallback.builder()
        .name(prefix + "_spans_total")
        .help("Spans of traced connections, by what became of them.")
        .labelNames("outcome")
        .callback(sample -> {
          sample.call((double) access.spansSent(), "sent");
          sample.call((double) access.spansDropped(), "dropped");
        })
        .register(registry);
  }
}
