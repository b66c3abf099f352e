package dev.penstock.testkit.bench;

import java.util.Collection;
import java.util.Locale;

/// The rounds of one number.
///
/// @param median of an even count: the mean of the two in the middle
public record Summary(double median, double min, double max, int count) {
  /// Of at least one value.
  ///
  /// @throws IllegalArgumentException when there is none
  public static Summary of(Collection<Double> values) {
    if (values.isEmpty()) {
      throw new IllegalArgumentException("values: 0 (expected: at least 1)");
    }
    double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    int half = sorted.length / 2;
    double median = sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    return new Summary(median, sorted[0], sorted[sorted.length - 1], sorted.length);
  }

  /// `median (min-max)`, three digits each where that many mean something.
  @Override
  public String toString() {
    return count == 1
        ? number(median)
        : number(median) + " (" + number(min) + "-" + number(max) + ")";
  }

  /// Two decimals below 10, one below 100, none from there on.
  static String number(double value) {
    double size = Math.abs(value);
    String format = size < 9.995 ? "%.2f" : size < 99.95 ? "%.1f" : "%.0f";
    return String.format(Locale.ROOT, format, value);
  }
}
