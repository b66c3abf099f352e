package dev.penstock.gateway.leases;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.observe.MetricsPage;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class LeaseMetersTest {
  @Test
  void thePageHasEverySeriesWithEveryLabelAndNoOther() throws IOException {
    var registry = new PrometheusRegistry();
    new LeaseMeters(registry).retained("tcp-60", 1);
    assertThat(MetricsPage.section("Leases"))
        .containsExactlyInAnyOrderElementsOf(MetricsPage.of(registry));
  }
}
