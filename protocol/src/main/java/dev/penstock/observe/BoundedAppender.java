package dev.penstock.observe;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.Appender;
import ch.qos.logback.core.UnsynchronizedAppenderBase;
import ch.qos.logback.core.spi.AppenderAttachable;
import ch.qos.logback.core.spi.AppenderAttachableImpl;
import java.time.Duration;
import java.util.Iterator;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/// Hands log events to the appenders below it on a thread of its own, so that no event loop formats
/// a line or waits for whoever reads them. At most [#QUEUE] events wait; those that come then are
/// dropped and counted, whatever their level. Made by logback, as `logback.xml` says; logback's own
/// `AsyncAppender` drops without a count. Safe for use by several threads.
public final class BoundedAppender extends UnsynchronizedAppenderBase<ILoggingEvent>
    implements AppenderAttachable<ILoggingEvent> {
  /// Events that may wait.
  static final int QUEUE = 8192;

  private static final Duration LAST_LINES = Duration.ofSeconds(1);
  private static final Set<BoundedAppender> STARTED = ConcurrentHashMap.newKeySet();
  private static final LongAdder DROPPED = new LongAdder();

  static {
    try {
      Runtime.getRuntime()
          .addShutdownHook(
              Thread.ofPlatform().name("penstock-log-end").unstarted(BoundedAppender::flush));
    } catch (IllegalStateException _) {
      // The process ends already; who logs now may lose it.
    }
  }

  private final AppenderAttachableImpl<ILoggingEvent> below = new AppenderAttachableImpl<>();
  private final BlockingQueue<Runnable> queue;
  private @Nullable Thread writer;

  public BoundedAppender() {
    this(QUEUE);
  }

  BoundedAppender(int size) {
    queue = new ArrayBlockingQueue<>(size);
  }

  /// Events that this process has dropped.
  public static long dropped() {
    return DROPPED.sum();
  }

  /// Returns when what was logged before is written, at the latest after a second. The end of the
  /// process does so by itself, but not [Runtime#halt].
  public static void flush() {
    STARTED.forEach(BoundedAppender::writeAll);
  }

  @Override
  public void start() {
    writer = Thread.ofPlatform().name("penstock-log").daemon().start(this::write);
    STARTED.add(this);
    super.start();
  }

  @Override
  public void stop() {
    if (isStarted()) {
      writeAll();
      super.stop();
      STARTED.remove(this);
      if (writer != null) {
        writer.interrupt();
      }
      below.detachAndStopAllAppenders();
    }
  }

  @Override
  protected void append(ILoggingEvent event) {
    // The thread's name, and arguments that may change.
    event.prepareForDeferredProcessing();
    if (!queue.offer(() -> below.appendLoopOnAppenders(event))) {
      DROPPED.increment();
    }
  }

  private void write() {
    try {
      while (true) {
        try {
          queue.take().run();
        } catch (RuntimeException e) {
          addError("an event could not be written", e);
        }
      }
    } catch (InterruptedException _) {
      // Stopped.
    }
  }

  private void writeAll() {
    var written = new CountDownLatch(1);
    try {
      long left = LAST_LINES.toNanos();
      long before = System.nanoTime();
      if (queue.offer(written::countDown, left, TimeUnit.NANOSECONDS)) {
        var _ = written.await(left - (System.nanoTime() - before), TimeUnit.NANOSECONDS);
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void addAppender(Appender<ILoggingEvent> appender) {
    below.addAppender(appender);
  }

  @Override
  public Iterator<Appender<ILoggingEvent>> iteratorForAppenders() {
    return below.iteratorForAppenders();
  }

  @Override
  public @Nullable Appender<ILoggingEvent> getAppender(String name) {
    return below.getAppender(name);
  }

  @Override
  public boolean isAttached(Appender<ILoggingEvent> appender) {
    return below.isAttached(appender);
  }

  @Override
  public void detachAndStopAllAppenders() {
    below.detachAndStopAllAppenders();
  }

  @Override
  public boolean detachAppender(Appender<ILoggingEvent> appender) {
    return below.detachAppender(appender);
  }

  @Override
  public boolean detachAppender(String name) {
    return below.detachAppender(name);
  }
}
