package dev.penstock.cli.doctor;

import java.util.Locale;

/// How a check ended.
public enum Verdict {
  OK,
  /// Works now, and something should be looked at.
  WARNING,
  /// Does not work.
  FAULT,
  /// Not looked at, because what it needs is missing.
  SKIPPED;

  /// For people and scripts.
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
