package dev.penstock.agent.observe;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.Locale;

/// Heartbeats and the state of the connection, under the names that dashboards of the original
/// agent know. Safe for use by several threads.
public final class HeartbeatMeters {
  /// The state of the agent as a whole, with the values of the original.
  public enum State {
    DISCONNECTED(0),
    CONNECTING(1),
    CONNECTED(2),
    RECONNECTING(3);

    private final int value;

    State(int value) {
      this.value = value;
    }
  }

  private final Counter answered;
  private final Counter unanswered;
  private final Histogram duration;
  private final Gauge state;
  private final Counter changes;

  HeartbeatMeters(PrometheusRegistry registry) {
    answered =
        Counter.builder()
            .name("pipeops_agent_heartbeat_success_total")
            .help("Heartbeats that the gateway answered.")
            .register(registry);
    unanswered =
        Counter.builder()
            .name("pipeops_agent_heartbeat_failures_total")
            .help("Heartbeats without an answer until the next was due or the link ended.")
            .register(registry);
    duration =
        Histogram.builder()
            .name("pipeops_agent_heartbeat_duration_seconds")
            .help("From a heartbeat until its answer.")
            .classicOnly()
            .register(registry);
    state =
        Gauge.builder()
            .name("pipeops_agent_connection_state")
            .help("0 disconnected, 1 connecting, 2 connected, 3 reconnecting.")
            .register(registry);
    changes =
        Counter.builder()
            .name("pipeops_agent_connection_state_changes_total")
            .help("Changes of the connection's state, by the new one.")
            .labelNames("state")
            .register(registry);
  }

  public void answered(long nanos) {
    answered.inc();
    duration.observe(nanos / 1e9);
  }

  public void unanswered() {
    unanswered.inc();
  }

  /// The agent is in this state now.
  public void state(State now) {
    state.set(now.value);
    changes.labelValues(now.name().toLowerCase(Locale.ROOT)).inc();
  }
}
