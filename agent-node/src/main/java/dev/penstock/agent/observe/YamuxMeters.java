package dev.penstock.agent.observe;

import dev.penstock.observe.LinkMeters;
import dev.penstock.protocol.link.Traffic;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/// The streams of an agent under the names that dashboards of the original agent know. Safe for use
/// by several threads.
public final class YamuxMeters {
  /// Why a stream came to nothing.
  public enum StreamError {
    DIAL_ERROR,
    HEADER_ERROR
  }

  private final Counter accepted;
  private final Gauge active;
  private final Histogram duration;
  private final Counter errors;

  YamuxMeters(PrometheusRegistry registry, Traffic traffic) {
    accepted =
        Counter.builder()
            .name("pipeops_agent_yamux_streams_accepted_total")
            .help("Streams that the gateway opened.")
            .register(registry);
    active =
        Gauge.builder()
            .name("pipeops_agent_yamux_active_streams")
            .help("Streams of the gateway that are not over.")
            .register(registry);
    duration =
        Histogram.builder()
            .name("pipeops_agent_yamux_stream_duration_seconds")
            .help("How long streams lasted.")
            .classicOnly()
            .classicUpperBounds(
                0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6, 819.2,
                1638.4)
            .register(registry);
    errors =
        Counter.builder()
            .name("pipeops_agent_yamux_stream_errors_total")
            .help("Streams that came to nothing, by reason.")
            .labelNames("type")
            .register(registry);
    LinkMeters.serve(
        registry,
        "pipeops_agent_yamux_bytes_total",
        "Payload bytes, updated while streams run: out to the gateway, in from it.",
        traffic,
        "out",
        "in");
  }

  public void opened() {
    accepted.inc();
    active.inc();
  }

  public void ended(long nanos) {
    active.dec();
    duration.observe(nanos / 1e9);
  }

  public void failed(StreamError why) {
    errors.labelValues(why == StreamError.DIAL_ERROR ? "dial_error" : "header_error").inc();
  }
}
