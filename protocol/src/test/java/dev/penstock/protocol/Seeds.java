package dev.penstock.protocol;

import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;

/// The seeds of property tests: a method source gives one case per seed, and the seed shows in the
/// case's name. `-Dseed=N` replays one, `-Dcases=N` runs more or fewer than the test asks for.
public final class Seeds {
  private Seeds() {}

  /// Enough for a case of a few milliseconds.
  public static LongStream many() {
    return atMost(200);
  }

  /// For cases that take longer.
  public static LongStream few() {
    return atMost(20);
  }

  /// The only source of chance in a case.
  public static RandomGenerator random(long seed) {
    return new SplittableRandom(seed);
  }

  private static LongStream atMost(int cases) {
    Long pinned = Long.getLong("seed");
    return pinned != null
        ? LongStream.of(pinned)
        : LongStream.range(0, Integer.getInteger("cases", cases));
  }
}
