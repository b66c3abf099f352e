package dev.penstock.protocol.yamux;

/// How large data frames may be. Whatever comes behind a frame waits for it, a keystroke for
/// instance: so frames are no larger than [SessionSettings#steadyFrame]. Each costs a header and a
/// system call or two at both ends, though, and on a link that is fast nobody waits for long: there
/// they may be as large as [SessionSettings#maxFrame] has it, as long as one turn of all streams
/// that have something to send stays within [#TURN].
final class FrameSize {
  /// Bytes by which the pace of the link is measured; more than what a socket takes at once.
  static final int SAMPLE = 1024 * 1024;

  /// A sample that took no longer was fast; and so is a turn of [#TURN] bytes.
  static final long FAST_NANOS = 10_000_000;

  /// Bytes of one turn, when frames are larger than steady.
  static final int TURN = 1024 * 1024;

  private final int steady;
  private final int largest;
  private boolean fast;
  private boolean measuring;
  private long sampleBegan;
  private long sampled;

  FrameSize(SessionSettings settings) {
    this.steady = settings.steadyFrame();
    this.largest = settings.maxFrame();
  }

  /// The largest payload now, while so many streams have something to send.
  int bound(int readyStreams) {
    return fast ? Math.max(steady, Math.min(largest, TURN / Math.max(1, readyStreams))) : steady;
  }

  /// The transport took so many bytes, after those that were told before.
  ///
  /// @param now nanoseconds of a monotonic clock
  void sent(long bytes, long now) {
    if (!measuring) {
      measuring = true;
      sampleBegan = now;
      return;
    }
    sampled += bytes;
    if (sampled >= SAMPLE) {
      fast = now - sampleBegan <= FAST_NANOS;
      sampleBegan = now;
      sampled = 0;
    }
  }
}
