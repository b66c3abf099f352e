package dev.penstock.management.api;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/// What is asked of the management port. Any thread.
public final class ApiMeters {
  private final Counter requests;
  private final Counter refused;
  private final Counter actions;
  private final Gauge watches;

  public ApiMeters(PrometheusRegistry registry) {
    requests =
        Counter.builder()
            .name("penstock_management_requests_total")
            .help("Calls to the management API, by the class of their status.")
            .labelNames("status")
            .register(registry);
    refused =
        Counter.builder()
            .name("penstock_management_refused_total")
            .help("Calls to the management port that were refused, by reason.")
            .labelNames("reason")
            .register(registry);
    actions =
        Counter.builder()
            .name("penstock_management_actions_total")
            .help("Actions that operators asked for, by outcome.")
            .labelNames("outcome")
            .register(registry);
    watches =
        Gauge.builder()
            .name("penstock_management_watches")
            .help("Watches of the management API that run now.")
            .register(registry);
  }

  void answered(int status) {
    requests.labelValues(status / 100 + "xx").inc();
  }

  /// A caller showed no good token or certificate.
  public void unauthorized() {
    refused.labelValues("unauthorized").inc();
  }

  /// A role or a web page.
  public void forbidden() {
    refused.labelValues("forbidden").inc();
  }

  /// No request came in time on a new connection.
  public void late() {
    refused.labelValues("late").inc();
  }

  void tooManyWatches() {
    refused.labelValues("too_many_watches").inc();
  }

  void acted(boolean done) {
    actions.labelValues(done ? "done" : "refused").inc();
  }

  void watchBegan() {
    watches.inc();
  }

  void watchEnded() {
    watches.dec();
  }
}
