package dev.penstock.observe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

final class RateLimitedLogTest {
  private enum Kind {
    BAD_HEADER,
    BAD_TOKEN
  }

  private static final Logger LOG = (Logger) LoggerFactory.getLogger("rate-limited");

  private final ListAppender<ILoggingEvent> logged = new ListAppender<>();
  private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - 1000);
  private final RateLimitedLog<Kind> limited = new RateLimitedLog<>(Kind.class, 2, now::get);

  @BeforeEach
  void capture() {
    LOG.setAdditive(false);
    LOG.setLevel(Level.INFO);
    logged.start();
    LOG.addAppender(logged);
  }

  @AfterEach
  void release() {
    LOG.detachAppender(logged);
  }

  @Test
  void eachKindHasItsShareOfAMinute() {
    happens(Kind.BAD_HEADER, 5);
    happens(Kind.BAD_TOKEN, 1);
    assertThat(texts()).containsExactly("BAD_HEADER", "BAD_HEADER", "BAD_TOKEN");
  }

  @Test
  void theNextMinuteTellsHowManyWereLeftOut() {
    happens(Kind.BAD_HEADER, 5);
    now.addAndGet(Duration.ofSeconds(60).toNanos());
    happens(Kind.BAD_HEADER, 2);
    assertThat(texts())
        .containsExactly("BAD_HEADER", "BAD_HEADER", "BAD_HEADER suppressed=3", "BAD_HEADER");
  }

  @Test
  void lessThanAMinuteIsTheSameMinute() {
    happens(Kind.BAD_HEADER, 2);
    now.addAndGet(Duration.ofSeconds(60).toNanos() - 1);
    happens(Kind.BAD_HEADER, 1);
    assertThat(texts()).hasSize(2);
  }

  @Test
  void aShareOfNothingIsRefused() {
    assertThatThrownBy(() -> new RateLimitedLog<>(Kind.class, 0))
        .hasMessage("perMinute: 0 (expected: at least 1)");
  }

  private void happens(Kind kind, int times) {
    for (int i = 0; i < times; i++) {
      limited.at(kind, LOG.atWarn()).log("{}", kind);
    }
  }

  private List<String> texts() {
    return logged.list.stream()
        .map(event ->
            event.getKeyValuePairs() == null
                ? event.getFormattedMessage()
                : event.getFormattedMessage()
                    + " "
                    + event.getKeyValuePairs().getFirst().key
                    + "="
                    + event.getKeyValuePairs().getFirst().value)
        .toList();
  }
}
