package dev.penstock.gateway.observe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.observe.MetricsPage;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.link.LinkEnd;
import dev.penstock.protocol.link.StreamEnd;
import dev.penstock.protocol.yamux.ByteBudget;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class GatewayMetersTest {
  @Test
  void thePageHasEverySeriesWithEveryLabelAndNoOther() throws IOException {
    var registry = new PrometheusRegistry();
    var meters = new GatewayMeters(registry, new ByteBudget(1));
    Arrays.stream(LinkEnd.Cause.values()).forEach(meters::linkEnded);
    Arrays.stream(StreamEnd.Cause.values()).forEach(meters::streamEnded);
    Arrays.stream(ClientRefusal.values()).forEach(meters::clientRefused);
    Arrays.stream(Rejection.values()).forEach(meters::rejected);
    Arrays.stream(DialStatus.Code.values())
        .filter(code -> code != DialStatus.Code.CONNECTED)
        .forEach(meters::dialFailed);
    meters.dialSuspected();
    meters.controllerSocketOpened();
    meters.gatewaySocketOpened();
    assertThat(MetricsPage.section("Gateway"))
        .containsExactlyInAnyOrderElementsOf(MetricsPage.of(registry));
  }
}
