package dev.penstock.agent.kubernetes.discovery;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Findings of the last look that the next one takes over, so that a change of one object in a
/// large cluster costs little: each with the answers of the cluster that it followed from, and only
/// where these are all the same. A status that is to be written keeps the time at which it was
/// found first. One thread.
///
/// @param <T> what is found about one thing
final class Recall<T> {
  private Map<Object, Finding<T>> last = new HashMap<>();
  private Map<Object, Finding<T>> next = new HashMap<>();

  /// Something that was asked of a look.
  record Asked(Function<Look, @Nullable Object> question, @Nullable Object answer) {
    private boolean isAnsweredAlike(Look look) {
      return Objects.equals(question.apply(look), answer);
    }
  }

  /// What a finding followed from.
  ///
  /// @param told what it told users
  /// @param span whether time alone may change it
  record Grounds(List<Asked> asked, List<Notice> told, Span span) {}

  /// For how long something holds.
  enum Span {
    /// As long as nothing changes.
    LASTING,
    /// Until some time.
    PASSING
  }

  private record Finding<T>(Object about, T found, Grounds grounds) {
    boolean holds(Look look, Object now) {
      if (!Objects.equals(about, now)) {
        return false;
      }
      for (Asked one : grounds.asked()) {
        if (!one.isAnsweredAlike(look)) {
          return false;
        }
      }
      return true;
    }
  }

  /// A look begins: what the one before it did not need is forgotten.
  void begin() {
    next = HashMap.newHashMap(last.size());
  }

  /// The look was made to its end.
  void end() {
    last = next;
    next = new HashMap<>();
  }

  /// What is found about something: as it was found before, or by `find`.
  ///
  /// @param about the thing itself: another finds another
  T of(Look look, Object name, Object about, Supplier<T> find) {
    Finding<T> known = last.get(name);
    if (known == null || !known.holds(look, about)) {
      look.listen();
      T found = find.get();
      Grounds grounds = look.heard();
      if (grounds.span() == Span.LASTING) {
        next.put(name, new Finding<>(about, found, grounds));
      }
      return found;
    }
    known.grounds().told().forEach(look::tell);
    next.put(name, known);
    return known.found();
  }
}
