package dev.penstock.gateway.relay;

import dev.penstock.protocol.control.DialStatus;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedSet;
import java.util.stream.Collectors;

/// What a node answers to a stream that another one gives it: a [DialStatus] whose text begins with a
/// word for the other node where it is not the agent's own. Pure.
///
/// ```
/// CONNECTED "loops 0,2"       reached; the cluster's links live on these event loops
/// FAILED    "elsewhere 0,2"   no link on the loop that was asked, but on these
/// FAILED    "no-link ..."     no link of the cluster any more
/// any other code, text        the agent's own answer
/// ```
sealed interface RelayAnswer {
  /// The agent reached the service.
  ///
  /// @param loops of the answering node with links of the cluster
  record Reached(List<Integer> loops) implements RelayAnswer {}

  /// Links of the cluster live on these loops only.
  record Elsewhere(List<Integer> loops) implements RelayAnswer {}

  /// The node has no link of the cluster, or none that takes streams.
  record NoLink() implements RelayAnswer {}

  /// No link could reach the service.
  record NotReached(DialStatus why) implements RelayAnswer {}

  String LOOPS = "loops ";
  String ELSEWHERE = "elsewhere ";
  String NO_LINK = "no-link ";

  /// More loops than this are not told.
  int MOST_LOOPS = 128;

  static DialStatus reached(SortedSet<Integer> loops) {
    return new DialStatus(DialStatus.Code.CONNECTED, LOOPS + list(loops));
  }

  static DialStatus elsewhere(SortedSet<Integer> loops) {
    return new DialStatus(DialStatus.Code.FAILED, ELSEWHERE + list(loops));
  }

  static DialStatus noLink() {
    return new DialStatus(
        DialStatus.Code.FAILED, NO_LINK + "the node has no link of the agent's cluster");
  }

  private static String list(SortedSet<Integer> loops) {
    return loops.stream().limit(MOST_LOOPS).map(String::valueOf).collect(Collectors.joining(","));
  }

  /// What a status means that came over a relay link.
  static RelayAnswer of(DialStatus status) {
    String text = status.text();
    if (status.code() == DialStatus.Code.CONNECTED) {
      return new Reached(text.startsWith(LOOPS) ? loops(text.substring(LOOPS.length())) : List.of());
    }
    if (status.code() == DialStatus.Code.FAILED && text.startsWith(ELSEWHERE)) {
      return new Elsewhere(loops(text.substring(ELSEWHERE.length())));
    }
    if (status.code() == DialStatus.Code.FAILED && text.startsWith(NO_LINK)) {
      return new NoLink();
    }
    return new NotReached(status);
  }

  /// What can be read of a list; a word that is no number of a loop is left out.
  private static List<Integer> loops(String list) {
    var loops = new ArrayList<Integer>();
    for (String word : list.split(",", MOST_LOOPS + 1)) {
      if (word.length() <= 4 && word.matches("[0-9]+") && loops.size() < MOST_LOOPS) {
        loops.add(Integer.valueOf(word));
      }
    }
    return List.copyOf(loops);
  }
}
