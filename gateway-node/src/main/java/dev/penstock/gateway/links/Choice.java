package dev.penstock.gateway.links;

import java.util.List;
import java.util.function.Supplier;
import java.util.function.ToIntFunction;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// Which of the ways to an agent a client takes: of the links here and of those elsewhere one each
/// by the power of two choices, and of these two the one here, unless it is far busier. Pure.
final class Choice {
  /// A stream elsewhere costs about one link more: it counts as so many.
  static final int WEIGHT_ELSEWHERE = 2;

  /// Streams that a link here may have before anybody looks elsewhere.
  static final int HEAD_START = 16;

  private Choice() {}

  /// The way to take, null when there is none at all.
  ///
  /// @param elsewhere asked only where a link here is not taken anyhow
  /// @param load streams per link
  static <T> @Nullable T choose(
      List<? extends T> here,
      Supplier<List<? extends T>> elsewhere,
      ToIntFunction<T> load,
      RandomGenerator random) {
    T near = here.isEmpty() ? null : PowerOfTwo.<T>choose(here, load, random);
    if (near != null && load.applyAsInt(near) <= HEAD_START) {
      return near;
    }
    List<? extends T> others = elsewhere.get();
    if (others.isEmpty()) {
      return near;
    }
    T far = PowerOfTwo.<T>choose(others, load, random);
    return near == null || load.applyAsInt(near) > weighted(load.applyAsInt(far)) ? far : near;
  }

  /// What a load elsewhere is compared as.
  static long weighted(int load) {
    return (long) WEIGHT_ELSEWHERE * load + HEAD_START;
  }
}
