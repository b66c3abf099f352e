package dev.penstock.config;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Ports from the first to the last, both included, within 1 to 65535.
public record PortRange(int first, int last) {
  private static final Pattern TEXT = Pattern.compile("([0-9]{1,5})\\s*-\\s*([0-9]{1,5})");

  public PortRange {
    if (first < 1 || last < first || last > 65_535) {
      throw new IllegalArgumentException(
          "ports: " + first + "-" + last + " (expected: first <= last, within 1-65535)");
    }
  }

  /// Empty when the text is not a range such as `10000-35000`.
  public static Optional<PortRange> parse(String text) {
    Matcher matcher = TEXT.matcher(text);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    int first = Integer.parseInt(matcher.group(1));
    int last = Integer.parseInt(matcher.group(2));
    return first < 1 || last < first || last > 65_535
        ? Optional.empty()
        : Optional.of(new PortRange(first, last));
  }

  public boolean contains(int port) {
    return first <= port && port <= last;
  }

  public int size() {
    return last - first + 1;
  }

  @Override
  public String toString() {
    return first + "-" + last;
  }
}
