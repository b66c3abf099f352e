package dev.penstock.observe;

import dev.penstock.protocol.control.TraceContext;
import org.jspecify.annotations.Nullable;

/// Where the spans of passages go; its only implementation is loaded where tracing is on.
interface Spans extends AutoCloseable {
  /// The context of a new connection; null when it is none of those that are traced. Any thread.
  @Nullable TraceContext begin();

  /// Takes what is told of a passage that is over; one caller at a time.
  void take(Passage passage, String node);

  /// Sends what was taken, as far as there is room for it; one caller at a time.
  void send();

  /// Spans that were sent.
  long sent();

  /// Spans that were dropped: the collector did not take them, or not fast enough.
  long dropped();

  @Override
  void close();
}
