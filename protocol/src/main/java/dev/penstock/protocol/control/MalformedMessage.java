package dev.penstock.protocol.control;

/// The peer sent something that is not what the protocol allows. The text has the form `field:
/// found (expected: ...)`, holds at most 100 characters of the input, and none that could break a
/// log line.
///
/// It carries no stack trace: the fault is the peer's, and a peer may produce many.
public final class MalformedMessage extends Exception {
  private static final long serialVersionUID = 1L;
  private static final int MAX_ECHO = 100;

  private MalformedMessage(String message) {
    super(message, null, false, false);
  }

  static MalformedMessage of(String field, String found, String expected) {
    return new MalformedMessage(
        clean(field, MAX_ECHO) + ": " + clean(found, MAX_ECHO) + " (expected: " + expected + ")");
  }

  /// For a field whose name was chosen by the peer too: both share the 100 characters.
  public static MalformedMessage ofEntry(String field, String key, String found, String expected) {
    return new MalformedMessage(
        field
            + "."
            + clean(key, MAX_ECHO / 2)
            + ": "
            + clean(found, MAX_ECHO / 2)
            + " (expected: "
            + expected
            + ")");
  }

  private static String clean(String text, int limit) {
    var shown = new StringBuilder(Math.min(text.length(), limit));
    int kept = text.length() <= limit ? text.length() : limit - 3;
    for (int i = 0; i < kept; i++) {
      char c = text.charAt(i);
      boolean breaksLine =
          Character.isISOControl(c) || Character.isSurrogate(c) || c == '\u2028' || c == '\u2029';
      shown.append(breaksLine ? '?' : c);
    }
    if (kept < text.length()) {
      shown.append("...");
    }
    return shown.toString();
  }
}
