package dev.penstock.gateway.links;

import java.util.List;
import java.util.function.ToIntFunction;
import java.util.random.RandomGenerator;

/// The power of two choices: of two picked at random the less loaded one. Nearly as even as the
/// least loaded of all, and no herd runs to the same one when the numbers are old.
final class PowerOfTwo {
  private PowerOfTwo() {}

  /// @param candidates at least one
  static <T> T choose(List<? extends T> candidates, ToIntFunction<T> load, RandomGenerator random) {
    int size = candidates.size();
    if (size == 1) {
      return candidates.getFirst();
    }
    int first = random.nextInt(size);
    int second = random.nextInt(size - 1);
    if (second >= first) {
      second++;
    }
    T one = candidates.get(first);
    T other = candidates.get(second);
    return load.applyAsInt(other) < load.applyAsInt(one) ? other : one;
  }
}
