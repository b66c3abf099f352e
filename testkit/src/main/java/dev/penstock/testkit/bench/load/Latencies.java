package dev.penstock.testkit.bench.load;

import java.util.Arrays;

/// Measured times in nanoseconds: 8 bytes each, kept in order of arrival. One thread at a time.
public final class Latencies {
  private static final double NANOS_PER_MICRO = 1_000;

  /// Keeps what binary fractions add to 99.9 % from becoming one rank more.
  private static final double ROUNDING = 1e-6;

  private long[] nanos = new long[4096];
  private int size;

  /// Adds one time.
  public void add(long value) {
    if (size == nanos.length) {
      nanos = Arrays.copyOf(nanos, size * 2);
    }
    nanos[size++] = value;
  }

  /// How many were added.
  public int size() {
    return size;
  }

  /// The smallest measured time that at least `percent` of all times do not exceed (nearest rank),
  /// in microseconds.
  ///
  /// @param percent above 0, at most 100
  /// @throws IllegalStateException when nothing was measured
  public double micros(double percent) {
    if (size == 0) {
      throw new IllegalStateException("latencies: 0 (expected: at least 1)");
    }
    long[] sorted = Arrays.copyOf(nanos, size);
    Arrays.sort(sorted);
    int rank = (int) Math.ceil(percent / 100 * size - ROUNDING);
    return sorted[Math.clamp(rank - 1, 0, size - 1)] / NANOS_PER_MICRO;
  }
}
