package dev.penstock.agent.kubernetes.discovery;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// Remembers which notices were said, so that each is said once for as long as it holds, and again
/// when it holds again. Holds at most as many as one look has. One owner.
public final class NoticeBoard {
  private Set<Notice> said = Set.of();

  /// Those of the notices that hold now that are still to be said.
  ///
  /// @param max the most that are given out; the others follow at the next call
  public List<Notice> toSay(List<Notice> holding, int max) {
    var kept = new LinkedHashSet<Notice>();
    var news = new ArrayList<Notice>();
    for (Notice one : holding) {
      if (said.contains(one)) {
        kept.add(one);
      } else if (news.size() < max && kept.add(one)) {
        news.add(one);
      }
    }
    said = kept;
    return news;
  }
}
