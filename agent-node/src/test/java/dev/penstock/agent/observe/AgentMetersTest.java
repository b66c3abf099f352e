package dev.penstock.agent.observe;

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

class AgentMetersTest {
  @Test
  void thePageHasEverySeriesWithEveryLabelAndNoOther() throws IOException {
    var registry = new PrometheusRegistry();
    var meters = new AgentMeters(registry, new ByteBudget(1));
    Arrays.stream(LinkEnd.Cause.values()).forEach(meters::linkEnded);
    Arrays.stream(StreamEnd.Cause.values())
        .filter(
            cause -> cause != StreamEnd.Cause.DIAL_FAILED && cause != StreamEnd.Cause.HALF_CLOSED)
        .forEach(cause -> meters.streamEnded(cause, 1));
    Arrays.stream(DialStatus.Code.values())
        .filter(code -> code != DialStatus.Code.CONNECTED)
        .forEach(meters::dialFailed);
    Arrays.stream(YamuxMeters.StreamError.values()).forEach(meters.yamux()::failed);
    Arrays.stream(HeartbeatMeters.State.values()).forEach(meters.heartbeats()::state);
    assertThat(MetricsPage.section("Agent"))
        .containsExactlyInAnyOrderElementsOf(MetricsPage.of(registry));
  }
}
