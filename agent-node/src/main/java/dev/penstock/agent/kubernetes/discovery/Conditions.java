package dev.penstock.agent.kubernetes.discovery;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.penstock.agent.kubernetes.objects.Condition;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Set;

/// Makes the conditions of a status from those that are stored and what they are to say now.
final class Conditions {
  /// The most that the API takes in one list.
  private static final int MAX = 8;

  /// The types that we write somewhere: stored ones of these that are not wanted any more go.
  private static final Set<String> OURS =
      Set.of(
          "Accepted",
          "SupportedVersion",
          "Programmed",
          "ResolvedRefs",
          "Conflicted",
          "Ready",
          RouteStatuses.AGGREGATED);

  private Conditions() {}

  /// The conditions to store: in the stored order, those of types that we never write kept as they
  /// are, `lastTransitionTime` kept where the status did not change.
  static List<Condition> merge(
      List<Condition> stored, List<Verdict> wanted, long generation, Instant now) {
    var left = new LinkedHashMap<String, Verdict>();
    wanted.forEach(verdict -> left.put(verdict.type(), verdict));
    var merged = new ArrayList<Condition>();
    for (Condition before : stored) {
      Verdict verdict = left.remove(before.type());
      if (verdict != null) {
        merged.add(condition(verdict, generation, transition(before, verdict, now)));
      } else if (!OURS.contains(before.type()) && merged.size() + left.size() < MAX) {
        merged.add(before);
      }
    }
    left.values().forEach(verdict -> merged.add(condition(verdict, generation, now)));
    return merged;
  }

  /// Whether a condition of ours speaks of a later generation than the one that was looked at: what
  /// was looked at is old, and nothing may be written from it.
  static boolean areAhead(List<Condition> stored, long generation) {
    return stored.stream()
        .anyMatch(one -> OURS.contains(one.type()) && one.observedGeneration() > generation);
  }

  static ArrayNode toJson(List<Condition> conditions) {
    ArrayNode list = JsonNodeFactory.instance.arrayNode();
    conditions.forEach(condition -> list.add(condition.toJson()));
    return list;
  }

  private static Instant transition(Condition before, Verdict now, Instant time) {
    // A default of the API's, which no controller has written, has the time 0.
    return before.status() == now.status() && !before.lastTransitionTime().equals(Instant.EPOCH)
        ? before.lastTransitionTime()
        : time;
  }

  private static Condition condition(Verdict verdict, long generation, Instant transition) {
    return new Condition(
        verdict.type(),
        verdict.status(),
        verdict.reason(),
        verdict.message(),
        generation,
        transition);
  }
}
