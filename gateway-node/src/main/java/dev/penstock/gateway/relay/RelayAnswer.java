package dev.penstock.gateway.relay;

import dev.penstock.protocol.control.DialStatus;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedSet;
import java.util.stream.Collectors;

/// What a node answers to a stream that another one gives it: the agent's own [DialStatus], or one
/// of the node's, and behind its text the event loops on which the cluster's links live, so that
/// the other node asks there the next time. Pure.
///
/// ```
/// CONNECTED "[loops 0,2]"                 reached
/// FAILED    "elsewhere [loops 0,2]"       no link on the loop that was asked, but on these
/// FAILED    "no-link"                     no link of the cluster any more
/// any other code, "text [loops 0,2]"      not reached; with loops where there are others to ask
/// ```
///
/// @param loops of the answering node; empty where it said nothing of them
record RelayAnswer(Kind kind, List<Integer> loops) {
  /// What became of the stream.
  enum Kind {
    REACHED,
    /// Nobody was asked: the links are on other loops.
    ELSEWHERE,
    NO_LINK,
    NOT_REACHED
  }

  private static final String ELSEWHERE = "elsewhere";
  private static final String NO_LINK = "no-link";
  private static final String BEFORE_LOOPS = "[loops ";
  private static final String BEHIND_LOOPS = "]";

  /// More loops than this are not told.
  static final int MOST_LOOPS = 64;

  /// Characters of an agent's text that are passed on, so that the loops fit behind it.
  private static final int LONGEST_TEXT = 200;

  static DialStatus reached(SortedSet<Integer> loops) {
    return new DialStatus(DialStatus.Code.CONNECTED, list(loops));
  }

  static DialStatus elsewhere(SortedSet<Integer> loops) {
    return new DialStatus(DialStatus.Code.FAILED, ELSEWHERE + " " + list(loops));
  }

  static DialStatus noLink() {
    return new DialStatus(DialStatus.Code.FAILED, NO_LINK);
  }

  static DialStatus notReached(DialStatus why, SortedSet<Integer> loops) {
    if (loops.size() < 2) {
      return why;
    }
    String text = why.text();
    return new DialStatus(
        why.code(), text.substring(0, Math.min(LONGEST_TEXT, text.length())) + " " + list(loops));
  }

  private static String list(SortedSet<Integer> loops) {
    return loops.stream()
        .limit(MOST_LOOPS)
        .map(String::valueOf)
        .collect(Collectors.joining(",", BEFORE_LOOPS, BEHIND_LOOPS));
  }

  /// What a status means that came over a relay link.
  static RelayAnswer of(DialStatus status) {
    String text = status.text();
    int at = text.endsWith(BEHIND_LOOPS) ? text.lastIndexOf(BEFORE_LOOPS) : -1;
    List<Integer> loops =
        at < 0
            ? List.of()
            : loops(
                text.substring(at + BEFORE_LOOPS.length(), text.length() - BEHIND_LOOPS.length()));
    if (status.code() == DialStatus.Code.CONNECTED) {
      return new RelayAnswer(Kind.REACHED, loops);
    }
    if (status.code() == DialStatus.Code.FAILED && text.equals(NO_LINK)) {
      return new RelayAnswer(Kind.NO_LINK, loops);
    }
    if (status.code() == DialStatus.Code.FAILED && at > 0 && text.startsWith(ELSEWHERE)) {
      return new RelayAnswer(Kind.ELSEWHERE, loops);
    }
    return new RelayAnswer(Kind.NOT_REACHED, loops);
  }

  /// What can be read of a list; a word that is no number of a loop is left out.
  private static List<Integer> loops(String list) {
    var loops = new ArrayList<Integer>();
    for (String word : list.split(",", MOST_LOOPS + 1)) {
      if (word.matches("[0-9]{1,4}")) {
        loops.add(Integer.valueOf(word));
      }
    }
    return List.copyOf(loops);
  }
}
