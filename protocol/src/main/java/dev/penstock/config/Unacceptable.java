package dev.penstock.config;

/// A text that is not a value of its [Kind]. The message is either empty or says why, to follow
/// what was found: `, which cannot be read`.
final class Unacceptable extends Exception {
  Unacceptable() {
    super("");
  }

  Unacceptable(String why) {
    super(", " + why);
  }

  /// Never null, unlike that of other exceptions.
  @Override
  public String getMessage() {
    return String.valueOf(super.getMessage());
  }
}
