package dev.penstock.management.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.observe.MetricsPage;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class ApiMetersTest {
  @Test
  void thePageHasEverySeriesWithEveryLabelAndNoOther() throws IOException {
    var registry = new PrometheusRegistry();
    var meters = new ApiMeters(registry);
    for (int status : new int[] {200, 304, 404, 503}) {
      meters.answered(status);
    }
    meters.unauthorized();
    meters.forbidden();
    meters.late();
    meters.tooManyWatches();
    meters.acted(true);
    meters.acted(false);
    assertThat(MetricsPage.section("Management"))
        .containsExactlyInAnyOrderElementsOf(MetricsPage.of(registry));
  }
}
