package dev.penstock.protocol.yamux;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/// Frames are large where that holds nobody up.
class FrameSizeTest {
  private static final int KIB = 1024;
  private static final int STEADY = 32 * KIB;
  private static final int BATCH = 128 * KIB;

  private final FrameSize size = sizeOf(128 * KIB);
  private long now = 77;

  private static FrameSize sizeOf(int maxFrame) {
    return new FrameSize(new SessionSettings(1 << 20, maxFrame, 9, 9, 9, 9));
  }

  /// The link takes a sample of bytes in equal batches, within `nanos`.
  private void carry(FrameSize size, long nanos) {
    size.sent(0, now);
    for (int sent = 0; sent < FrameSize.SAMPLE; sent += BATCH) {
      now += nanos * BATCH / FrameSize.SAMPLE;
      size.sent(BATCH, now);
    }
  }

  @Test
  void framesAreSmallAtFirst() {
    assertThat(size.bound(1)).isEqualTo(STEADY);
  }

  @Test
  void aFastLinkGetsLargeFrames() {
    carry(size, FrameSize.FAST_NANOS);
    assertThat(size.bound(1)).isEqualTo(128 * KIB);
  }

  @Test
  void aSlowLinkKeepsSmallOnes() {
    carry(size, FrameSize.FAST_NANOS + 8);
    assertThat(size.bound(1)).isEqualTo(STEADY);
  }

  @Test
  void aLinkThatBecomesSlowGetsSmallFramesAgain() {
    carry(size, 1_000_000);
    carry(size, 1_000_000_000);
    assertThat(size.bound(1)).isEqualTo(STEADY);
  }

  @Test
  void aTurnOfAllStreamsStaysBounded() {
    carry(size, 1_000_000);
    assertThat(size.bound(0)).isEqualTo(128 * KIB);
    assertThat(size.bound(8)).isEqualTo(128 * KIB);
    assertThat(size.bound(16)).isEqualTo(64 * KIB);
    assertThat(size.bound(33)).isEqualTo(STEADY);
    assertThat(size.bound(20_000)).isEqualTo(STEADY);
  }

  @Test
  void whoeverWantsSmallFramesGetsThemOnAnyLink() {
    FrameSize small = sizeOf(4 * KIB);
    assertThat(small.bound(1)).isEqualTo(4 * KIB);
    carry(small, 1_000_000);
    assertThat(small.bound(1)).isEqualTo(4 * KIB);
  }
}
