package dev.penstock.config;

/// What somebody else has written, as part of a message of ours.
public final class OneLine {
  private OneLine() {}

  /// `text` without control characters, which could pass for lines of ours or steer a terminal, and
  /// cut with an ellipsis after `most` characters.
  public static String of(String text, int most) {
    String line = text.replaceAll("\\p{Cntrl}", "?");
    return line.length() <= most ? line : line.substring(0, most) + "…";
  }
}
