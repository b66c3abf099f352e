package dev.penstock.cli.doctor;

import org.jspecify.annotations.Nullable;

/// What one check came to.
///
/// @param check its name, such as `tls`
/// @param subject what was looked at, such as a URL or a path
/// @param symptom what is wrong; null when nothing is or it was not looked at
/// @param found what was seen
/// @param expected what should have been; empty when it was
/// @param advice what to do; empty when nothing is to be done
public record Finding(
    String check,
    String subject,
    Verdict verdict,
    @Nullable Symptom symptom,
    String found,
    String expected,
    String advice) {
  /// All is well.
  public static Finding ok(String check, String subject, String found) {
    return new Finding(check, subject, Verdict.OK, null, found, "", "");
  }

  /// It does not work.
  public static Finding fault(
      String check, String subject, Symptom symptom, String found, String expected, String advice) {
    return new Finding(check, subject, Verdict.FAULT, symptom, found, expected, advice);
  }

  /// It works, but.
  public static Finding warning(
      String check, String subject, Symptom symptom, String found, String expected, String advice) {
    return new Finding(check, subject, Verdict.WARNING, symptom, found, expected, advice);
  }

  /// It was not looked at.
  public static Finding skipped(String check, String subject, String why) {
    return new Finding(check, subject, Verdict.SKIPPED, null, why, "", "");
  }

  public boolean isFault() {
    return verdict == Verdict.FAULT;
  }
}
