package dev.penstock.observe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.protocol.control.TraceContext;
import java.net.URI;
import java.time.Duration;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class OtlpSpansTest {
  private OtlpReceiver collector;

  @BeforeEach
  void start() throws Exception {
    collector = OtlpReceiver.start();
  }

  @AfterEach
  void stop() {
    collector.close();
  }

  private OtlpSpans spans(double ratio) {
    return new OtlpSpans(new TracingSettings(URI.create(collector.url()), ratio), "test");
  }

  private static Passage passage(TraceContext own, TraceContext above) {
    long now = System.nanoTime();
    var passage =
        new Passage(Passage.Kind.CONNECTION, now - 5_000_000)
            .with("service", "redis")
            .with("bytesToService", 7L)
            .traced(own, above)
            .step(Passage.Step.DIAL, now - 4_000_000, now - 1_000_000);
    passage.end(now);
    return passage;
  }

  @Test
  void aPassageIsASpanWithItsStepsInIt() {
    try (OtlpSpans spans = spans(1)) {
      var above = TraceContext.of(1, 2, 3);
      var own = above.with(4);
      spans.take(passage(own, above), "n-1");
      spans.send();
      await().until(() -> collector.spans().size() == 2);
      var connection =
          collector.spans().stream()
              .filter(it -> it.name().equals("connection"))
              .findFirst()
              .orElseThrow();
      assertThat(connection.service()).isEqualTo("test");
      assertThat(connection.trace()).isEqualTo(own.traceId());
      assertThat(connection.id()).isEqualTo(own.spanId());
      assertThat(connection.parent()).isEqualTo(above.spanId());
      assertThat(connection.nanos()).isEqualTo(5_000_000);
      assertThat(connection.attributes())
          .containsEntry("penstock.service", "redis")
          .containsEntry("penstock.bytesToService", "7")
          .containsEntry("node", "n-1");
      var dial =
          collector.spans().stream()
              .filter(it -> it.name().equals("dial"))
              .findFirst()
              .orElseThrow();
      assertThat(dial.trace()).isEqualTo(own.traceId());
      assertThat(dial.parent()).isEqualTo(own.spanId());
      assertThat(dial.nanos()).isEqualTo(3_000_000);
      await().until(() -> spans.sent() == 2);
      assertThat(spans.dropped()).isZero();
    }
  }

  @Test
  void theShareThatIsAskedForIsTraced() {
    try (OtlpSpans all = spans(1);
        OtlpSpans none = spans(0);
        OtlpSpans half = spans(0.5)) {
      assertThat(all.begin()).isNotNull();
      assertThat(none.begin()).isNull();
      assertThat(IntStream.range(0, 10_000).filter(_ -> half.begin() != null).count())
          .isBetween(4_500L, 5_500L);
    }
  }

  @Test
  void whatIsNotTracedIsNoSpan() {
    try (OtlpSpans spans = spans(1)) {
      spans.take(passage(null, null), "");
      spans.send();
    }
    assertThat(collector.spans()).isEmpty();
  }

  @Test
  void whatTheCollectorDoesNotTakeIsDroppedAndCounted() {
    collector.answer(400);
    try (OtlpSpans spans = spans(1)) {
      spans.take(passage(TraceContext.of(1, 2, 3), null), "");
      spans.send();
      await().atMost(Duration.ofSeconds(30)).until(() -> spans.dropped() == 2);
      collector.answer(200);
      spans.take(passage(TraceContext.of(1, 2, 3), null), "");
      spans.send();
      await().until(() -> spans.sent() == 2);
    }
  }

  @Test
  void noMoreWaitThanMay() {
    try (OtlpSpans spans = spans(1)) {
      for (int i = 0; i < OtlpSpans.WAITING; i++) {
        spans.take(passage(TraceContext.of(1, 2, i + 1), null), "");
      }
      assertThat(spans.dropped()).isEqualTo(OtlpSpans.WAITING);
      spans.send();
      await().until(() -> spans.sent() == OtlpSpans.WAITING);
    }
  }
}
