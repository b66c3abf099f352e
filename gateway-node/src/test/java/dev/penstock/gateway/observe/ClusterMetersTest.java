package dev.penstock.gateway.observe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.gateway.cluster.NodeState;
import dev.penstock.observe.MetricsPage;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class ClusterMetersTest {
  @Test
  void thePageHasEverySeriesWithEveryLabelAndNoOther() throws IOException {
    var registry = new PrometheusRegistry();
    var meters =
        new ClusterMeters(
            registry,
            () ->
                Arrays.stream(NodeState.values())
                    .collect(Collectors.toMap(it -> it.name().toLowerCase(Locale.ROOT), _ -> 1)));
    meters.becameUnreachable();
    meters.joinRefused();
    Arrays.stream(ControlRejection.values()).forEach(meters::rejected);
    assertThat(MetricsPage.section("Cluster"))
        .containsExactlyInAnyOrderElementsOf(MetricsPage.of(registry));
  }
}
