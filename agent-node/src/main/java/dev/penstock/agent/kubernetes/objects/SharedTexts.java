package dev.penstock.agent.kubernetes.objects;

import java.util.concurrent.atomic.AtomicReferenceArray;

/// Texts that many objects have in common, such as namespaces, label values and the reasons of
/// conditions, kept once. A table of a fixed size in which the last text of a place stays: a text
/// that is not found again is only kept twice. Any thread.
final class SharedTexts {
  private static final int PLACES = 1 << 14;

  /// Longer ones are rarely the same.
  private static final int MAX_LENGTH = 128;

  private static final AtomicReferenceArray<String> TEXTS = new AtomicReferenceArray<>(PLACES);

  private SharedTexts() {}

  /// The same text, most often the very object that others have.
  static String share(String text) {
    if (text.isEmpty() || text.length() > MAX_LENGTH) {
      return text;
    }
    int hash = text.hashCode();
    int place = (hash ^ (hash >>> 16)) & (PLACES - 1);
    String known = TEXTS.getPlain(place);
    if (text.equals(known)) {
      return known;
    }
    TEXTS.setRelease(place, text);
    return text;
  }
}
