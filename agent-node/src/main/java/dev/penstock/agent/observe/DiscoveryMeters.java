package dev.penstock.agent.observe;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/// What an agent knows to expose, under the names that dashboards of the original agent know. Safe
/// for use by several threads.
public final class DiscoveryMeters {
  private final Gauge services;
  private final Counter syncs;
  private final Counter errors;

  DiscoveryMeters(PrometheusRegistry registry) {
    services =
        Gauge.builder()
            .name("pipeops_agent_gateway_watcher_discovered_services")
            .help("Services that the agent exposes.")
            .register(registry);
    syncs =
        Counter.builder()
            .name("pipeops_agent_gateway_watcher_sync_total")
            .help("Times that the agent told the gateway of all its services.")
            .register(registry);
    errors =
        Counter.builder()
            .name("pipeops_agent_gateway_watcher_registration_errors_total")
            .help("Registrations of services that failed.")
            .register(registry);
  }

  /// So many services are exposed now.
  public void found(long count) {
    services.set((double) count);
  }

  /// All services are told to the gateway.
  public void synced(long count) {
    services.set((double) count);
    syncs.inc();
  }

  public void registrationFailed() {
    errors.inc();
  }
}
