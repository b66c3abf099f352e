package dev.penstock.protocol.yamux;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// The round-trip time of a session from its pings, of which one at a time is under way. Not
/// thread-safe.
public final class RoundTrip {
  private static final int SAMPLES = 8;

  private final long[] samples = new long[SAMPLES];
  private long least;
  private boolean unanswered;
  private long sentAt;

  /// A ping goes out; none is under way.
  public void sent(long now) {
    unanswered = true;
    sentAt = now;
  }

  /// The answer to the ping under way came.
  public void answered(long now, SessionCounters counters) {
    unanswered = false;
    counters.lastRttNanos = Math.max(1, now - sentAt);
    samples[counters.pongs++ % SAMPLES] = counters.lastRttNanos;
    least = Arrays.stream(samples, 0, Math.min(counters.pongs, SAMPLES)).min().orElse(0);
  }

  /// No answer is waited for any more.
  public void forget() {
    unanswered = false;
  }

  /// Whether a ping is under way.
  public boolean isUnanswered() {
    return unanswered;
  }

  /// When the ping under way was sent; null when none is.
  public @Nullable Long sentNanos() {
    return unanswered ? sentAt : null;
  }

  /// The least of the last 8, because what is more is queues and not the way; 0 before the first.
  public long nanos() {
    return least;
  }
}
