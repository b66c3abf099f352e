package dev.penstock.observe;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.penstock.config.HostPort;
import dev.penstock.protocol.link.StreamEnd;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;
import org.slf4j.event.KeyValuePair;

final class AccessLogTest {
  private static final Logger LOG = (Logger) LoggerFactory.getLogger(AccessLog.LOGGER);

  /// Never runs what it is given, so that the tests decide when lines are made.
  private static final class Held extends ScheduledThreadPoolExecutor {
    private int planned;

    Held() {
      super(0);
    }

    @Override
    public ScheduledFuture<?> schedule(Runnable command, long delay, TimeUnit unit) {
      planned++;
      return super.schedule(() -> {}, 0, unit);
    }
  }

  private final ListAppender<ILoggingEvent> lines = new ListAppender<>();
  private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - 1000);
  private final Held writer = new Held();
  private final AccessLog access = new AccessLog(20, now::get, writer, null);

  @BeforeEach
  void capture() {
    LOG.setAdditive(false);
    LOG.setLevel(Level.INFO);
    lines.start();
    LOG.addAppender(lines);
  }

  @AfterEach
  void release() {
    LOG.detachAppender(lines);
    LOG.setLevel(null);
    LOG.setAdditive(true);
    writer.shutdownNow();
  }

  private Passage connection() {
    return new Passage(Passage.Kind.CONNECTION, now.get());
  }

  private void write(Passage.Kind kind, int times) {
    for (int i = 0; i < times; i++) {
      access.write(new Passage(kind, now.get()));
    }
  }

  @Test
  void aLineSaysWhoAndWhereAndHowMuchAndHowLongEachStepTookAndWhyItEnded() {
    long start = now.get();
    access.node("gw-1");
    Passage passage =
        connection()
            .with("clientAddress", new InetSocketAddress("192.0.2.7", 5000))
            .with("target", new HostPort("10.0.0.1", 80))
            .with("service", "")
            .with("namespace", null)
            .with("bytesToService", 12L)
            .with("cause", StreamEnd.Cause.RESET_BY_PEER)
            .step(Passage.Step.CHOOSE, start, start + 1_500_000)
            .step(Passage.Step.DIAL, start, 0);
    now.addAndGet(Duration.ofMillis(7).toNanos());
    access.write(passage);
    access.writeAll();
    ILoggingEvent line = lines.list.getFirst();
    assertThat(line.getMessage()).isEqualTo("a connection ended");
    assertThat(line.getKeyValuePairs().stream().map(KeyValuePair::toString))
        .containsExactly(
            "clientAddress=\"192.0.2.7:5000\"",
            "target=\"10.0.0.1:80\"",
            "bytesToService=\"12\"",
            "cause=\"reset_by_peer\"",
            "chooseMs=\"1.5\"",
            "durationMs=\"7.0\"",
            "node=\"gw-1\"");
  }

  @Test
  void anAddressOfTheNewerKindHasItsBrackets() {
    access.write(connection().with("clientAddress", new InetSocketAddress("2001:db8::7", 80)));
    access.writeAll();
    assertThat(lines.list.getFirst().getKeyValuePairs().getFirst().value)
        .isEqualTo("[2001:db8:0:0:0:0:0:7]:80");
  }

  @Test
  void linesAboveTheRateAreDroppedAndCountedAndTheNextSecondHasItsOwn() {
    write(Passage.Kind.CONNECTION, 25);
    access.writeAll();
    assertThat(lines.list).hasSize(20);
    assertThat(access.written()).isEqualTo(20);
    assertThat(access.dropped()).isEqualTo(5);
    now.addAndGet(Duration.ofSeconds(1).toNanos());
    write(Passage.Kind.FLOW, 1);
    access.writeAll();
    assertThat(lines.list).hasSize(21);
  }

  @Test
  void aFloodOfRefusalsLeavesNineTenthsToTheOthers() {
    write(Passage.Kind.REFUSED, 100);
    write(Passage.Kind.CONNECTION, 100);
    access.writeAll();
    assertThat(texts()).filteredOn("a connection was refused"::equals).hasSize(2);
    assertThat(texts()).filteredOn("a connection ended"::equals).hasSize(18);
  }

  @Test
  void noMoreWaitThanTheQueueTakes() {
    write(Passage.Kind.CONNECTION, AccessLog.QUEUE + 3);
    assertThat(access.dropped()).isEqualTo(3);
  }

  @Test
  void oneWakingIsForManyLines() {
    write(Passage.Kind.CONNECTION, 10);
    assertThat(writer.planned).isEqualTo(1);
    access.writeAll();
    write(Passage.Kind.CONNECTION, 1);
    assertThat(writer.planned).isEqualTo(2);
  }

  @Test
  void closingWritesWhatWaitsAndLosesNothingSilentlyAfterwards() {
    write(Passage.Kind.CONNECTION, 2);
    access.close();
    assertThat(lines.list).hasSize(2);
  }

  @Test
  void withTheLoggerOffNothingIsTakenAndNothingCounted() {
    LOG.setLevel(Level.WARN);
    assertThat(access.isOn()).isFalse();
    write(Passage.Kind.CONNECTION, 1);
    access.writeAll();
    assertThat(lines.list).isEmpty();
    assertThat(access.dropped()).isZero();
  }

  @Test
  void switchedOffByTheSettingsThereIsNone() {
    assertThat(AccessLog.start(new LoggingSettings(false, 1), TracingSettings.OFF, "x").isOn())
        .isFalse();
    try (AccessLog started =
        AccessLog.start(LoggingSettings.defaults(), TracingSettings.OFF, "x")) {
      assertThat(started.isOn()).isTrue();
    }
  }

  private List<String> texts() {
    return lines.list.stream().map(ILoggingEvent::getMessage).toList();
  }
}
