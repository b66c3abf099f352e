package dev.penstock.observe;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.LoggingEvent;
import ch.qos.logback.core.AppenderBase;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.slf4j.LoggerFactory;

@Timeout(30)
final class BoundedAppenderTest {
  private static final Logger LOG = (Logger) LoggerFactory.getLogger("bounded-appender");

  /// Takes no line before it is let.
  private static final class Pipe extends AppenderBase<ILoggingEvent> {
    private final CountDownLatch open = new CountDownLatch(1);
    private final CountDownLatch reached = new CountDownLatch(1);
    private final List<String> lines = new ArrayList<>();

    @Override
    protected void append(ILoggingEvent event) {
      reached.countDown();
      try {
        open.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      if (event.getMessage().equals("bad")) {
        throw new IllegalStateException("of the event");
      }
      lines.add(event.getFormattedMessage());
    }
  }

  private final Pipe pipe = new Pipe();
  private final BoundedAppender appender = new BoundedAppender(3);

  @BeforeEach
  void start() {
    pipe.setContext(LOG.getLoggerContext());
    pipe.start();
    appender.setContext(LOG.getLoggerContext());
    appender.addAppender(pipe);
    appender.start();
  }

  @AfterEach
  void stop() {
    pipe.open.countDown();
    appender.stop();
  }

  private void log(String text) {
    appender.doAppend(new LoggingEvent("", LOG, Level.INFO, text, null, null));
  }

  @Test
  void whoLogsDoesNotWaitForAStuckReaderAndWhatIsDroppedIsCounted() throws Exception {
    long before = BoundedAppender.dropped();
    log("1");
    assertThat(pipe.reached.await(10, TimeUnit.SECONDS)).isTrue();
    for (int i = 2; i <= 10; i++) {
      log(Integer.toString(i));
    }
    assertThat(BoundedAppender.dropped() - before).isEqualTo(6);
    pipe.open.countDown();
    BoundedAppender.flush();
    assertThat(pipe.lines).containsExactly("1", "2", "3", "4");
  }

  @Test
  void whatWasLoggedIsWrittenWhenAFlushReturns() {
    pipe.open.countDown();
    log("first");
    BoundedAppender.flush();
    assertThat(pipe.lines).containsExactly("first");
    log("second");
    appender.stop();
    assertThat(pipe.lines).containsExactly("first", "second");
  }

  @Test
  void anEventThatCannotBeWrittenDoesNotEndTheLog() {
    pipe.open.countDown();
    log("bad");
    log("good");
    BoundedAppender.flush();
    assertThat(pipe.lines).containsExactly("good");
  }
}
