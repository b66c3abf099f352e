package dev.penstock.observe;

import dev.penstock.protocol.control.TraceContext;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.spi.LoggingEventBuilder;

/// One line for each connection and each flow that is over, by the logger [#LOGGER], and their
/// spans where they are traced. An event loop only puts what it knows into a queue; lines are made
/// elsewhere, several times a second. At most [#QUEUE] wait, and at most so many lines are written
/// in a second, a tenth of which may be of refusals; what is above is dropped and counted. Safe for
/// use by several threads.
public final class AccessLog implements AutoCloseable {
  /// The name of the logger; its level can be changed like that of any other.
  public static final String LOGGER = "dev.penstock.access";

  /// Passages that may wait.
  static final int QUEUE = 8192;

  private static final Duration PAUSE = Duration.ofMillis(50);
  private static final long SECOND = TimeUnit.SECONDS.toNanos(1);
  private static final Logger log = LoggerFactory.getLogger(LOGGER);
  private static final AccessLog OFF = new AccessLog(0, System::nanoTime, null, null);

  private final int perSecond;
  private final LongSupplier nanoTime;
  private final @Nullable ScheduledThreadPoolExecutor writer;
  private final @Nullable Spans spans;
  private final BlockingQueue<Passage> queue = new ArrayBlockingQueue<>(QUEUE);
  private final AtomicBoolean awaited = new AtomicBoolean();
  private final LongAdder written = new LongAdder();
  private final LongAdder dropped = new LongAdder();
  private volatile String node = "";

  /// To be used by whoever writes, one at a time.
  private long second;

  private int linesOfSecond;
  private int refusalsOfSecond;

  /// @param perSecond 0 for no lines at all
  AccessLog(
      int perSecond,
      LongSupplier nanoTime,
      @Nullable ScheduledThreadPoolExecutor writer,
      @Nullable Spans spans) {
    this.spans = spans;
    this.perSecond = perSecond;
    this.nanoTime = nanoTime;
    this.writer = writer;
    this.second = nanoTime.getAsLong();
  }

  /// Starts one, as the settings say.
  ///
  /// @param service how traces name the program
  public static AccessLog start(LoggingSettings settings, TracingSettings tracing, String service) {
    boolean traces = tracing.endpoint() != null;
    if (!settings.access() && !traces) {
      return OFF;
    }
    var writer =
        new ScheduledThreadPoolExecutor(
            1, Thread.ofPlatform().name("penstock-access").daemon().factory());
    return new AccessLog(
        settings.access() ? settings.accessPerSecond() : 0,
        System::nanoTime,
        writer,
        traces ? new OtlpSpans(tracing, service) : null);
  }

  /// One that writes nothing.
  public static AccessLog off() {
    return OFF;
  }

  /// Names the node in every line from now on.
  public void node(String id) {
    node = id;
  }

  /// Whether anybody wants to know; the caller may save the work of making a passage.
  public boolean isOn() {
    return writer != null && (spans != null || writesLines());
  }

  private boolean writesLines() {
    return perSecond > 0 && log.isInfoEnabled();
  }

  /// Whether connections are traced.
  public boolean traces() {
    return spans != null;
  }

  /// The context of a connection that begins; null when it is not traced.
  public @Nullable TraceContext trace() {
    return spans == null ? null : spans.begin();
  }

  /// A span of this node within a span of another; null when there is none, or nobody wants it.
  public @Nullable TraceContext within(@Nullable TraceContext above) {
    return spans == null || above == null
        ? null
        : above.with(ThreadLocalRandom.current().nextLong() | 1);
  }

  /// Spans that were sent.
  public long spansSent() {
    return spans == null ? 0 : spans.sent();
  }

  /// Spans that were dropped.
  public long spansDropped() {
    return spans == null ? 0 : spans.dropped();
  }

  /// Takes a passage that ends now.
  public void write(Passage passage) {
    if (writer == null || !isOn()) {
      return;
    }
    passage.end(nanoTime.getAsLong());
    if (!queue.offer(passage)) {
      dropped.increment();
    } else if (!awaited.get() && awaited.compareAndSet(false, true)) {
      try {
        // One waking for many lines.
        writer.schedule(this::writeAll, PAUSE.toMillis(), TimeUnit.MILLISECONDS);
      } catch (RejectedExecutionException _) {
        // The node has ended; who closed it wrote what was there.
        dropped.increment();
      }
    }
  }

  /// Lines that were written.
  public long written() {
    return written.sum();
  }

  /// Passages that were dropped.
  public long dropped() {
    return dropped.sum();
  }

  /// Writes what waits.
  synchronized void writeAll() {
    awaited.set(false);
    for (Passage passage = queue.poll(); passage != null; passage = queue.poll()) {
      if (spans != null) {
        spans.take(passage, node);
      }
      if (writesLines()) {
        if (mayWrite(passage.kind())) {
          line(passage);
          written.increment();
        } else {
          dropped.increment();
        }
      }
    }
    if (spans != null) {
      spans.send();
    }
  }

  private boolean mayWrite(Passage.Kind kind) {
    long now = nanoTime.getAsLong();
    if (now - second >= SECOND) {
      second = now;
      linesOfSecond = 0;
      refusalsOfSecond = 0;
    }
    boolean refusal = kind == Passage.Kind.REFUSED;
    if (linesOfSecond >= perSecond
        || (refusal && refusalsOfSecond >= Math.ceilDiv(perSecond, 10))) {
      return false;
    }
    linesOfSecond++;
    if (refusal) {
      refusalsOfSecond++;
    }
    return true;
  }

  private void line(Passage passage) {
    LoggingEventBuilder line = log.atInfo();
    for (Passage.Field field : passage.told()) {
      line = line.addKeyValue(field.key(), field.value());
    }
    if (!node.isEmpty()) {
      line = line.addKeyValue("node", node);
    }
    line.log(passage.kind().text());
  }

  /// Writes what waits, and takes nothing more.
  @Override
  public void close() {
    if (writer != null) {
      writer.shutdown();
      writeAll();
      if (spans != null) {
        spans.close();
      }
    }
  }
}
