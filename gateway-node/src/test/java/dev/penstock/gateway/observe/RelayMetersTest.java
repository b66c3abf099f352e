package dev.penstock.gateway.observe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.observe.MetricsPage;
import dev.penstock.protocol.link.LinkEnd;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class RelayMetersTest {
  @Test
  void thePageHasEverySeriesWithEveryLabelAndNoOther() throws IOException {
    var registry = new PrometheusRegistry();
    var meters = new RelayMeters(registry);
    for (LinkEnd.Cause cause : LinkEnd.Cause.values()) {
      meters.linkUp(RelayMeters.End.OUT);
      meters.linkEnded(RelayMeters.End.OUT, cause);
    }
    Arrays.stream(RelayRejection.values()).forEach(meters::rejected);
    assertThat(MetricsPage.section("Relay"))
        .containsExactlyInAnyOrderElementsOf(MetricsPage.of(registry));
  }
}
