package dev.penstock.agent.kubernetes.discovery;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.agent.kubernetes.objects.Condition;
import dev.penstock.agent.kubernetes.objects.GatewayClass;
import dev.penstock.agent.kubernetes.objects.ParentRef;
import dev.penstock.agent.kubernetes.objects.Route;
import dev.penstock.agent.kubernetes.objects.RouteParentStatus;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The status of a route: our entries among those of others, which stay as and where they are.
final class RouteStatuses {
  /// Says in the last of our entries that some had no place.
  static final String AGGREGATED = "penstock.dev/Aggregated";

  /// The most that the API takes.
  static final int MAX_PARENTS = 32;

  private RouteStatuses() {}

  /// What we say of a route at one parent.
  record Entry(ParentRef parent, List<Verdict> verdicts) {}

  /// One entry of the status to store.
  private sealed interface Parent {
    record Foreign(JsonNode raw) implements Parent {}

    record Own(ParentRef parent, List<Condition> conditions) implements Parent {}
  }

  /// The status to store; empty when it is stored already, or when what we know is older than what
  /// was written.
  ///
  /// @param entries ours, all of them, in the order of the route's references
  static Optional<ObjectNode> of(Route route, List<Entry> entries, Instant now) {
    long generation = route.meta().generation();
    List<RouteParentStatus> stored = route.parentStatuses();
    if (stored.stream()
        .filter(RouteStatuses::isOurs)
        .anyMatch(one -> Conditions.areAhead(one.conditions(), generation))) {
      return Optional.empty();
    }
    long foreign = stored.stream().filter(one -> !isOurs(one)).count();
    var left = new ArrayList<>(shortened(entries, (int) Math.max(0, MAX_PARENTS - foreign)));
    var parents = new ArrayList<Parent>();
    boolean changed = false;
    for (RouteParentStatus one : stored) {
      if (!isOurs(one)) {
        parents.add(new Parent.Foreign(one.raw().tree()));
        continue;
      }
      Optional<Entry> entry = take(left, one, route.meta().namespace());
      if (entry.isEmpty()) {
        changed = true;
        continue;
      }
      List<Condition> conditions =
          Conditions.merge(one.conditions(), entry.get().verdicts(), generation, now);
      changed |= !conditions.equals(one.conditions());
      parents.add(new Parent.Own(entry.get().parent(), conditions));
    }
    for (Entry entry : left) {
      changed = true;
      parents.add(
          new Parent.Own(
              entry.parent(), Conditions.merge(List.of(), entry.verdicts(), generation, now)));
    }
    return changed ? Optional.of(json(route, parents)) : Optional.empty();
  }

  private static boolean isOurs(RouteParentStatus one) {
    return one.controllerName().equals(GatewayClass.OUR_CONTROLLER);
  }

  private static Optional<Entry> take(List<Entry> left, RouteParentStatus one, String namespace) {
    for (Entry entry : left) {
      if (one.parent().map(parent -> entry.parent().isSame(parent, namespace)).orElse(false)) {
        left.remove(entry);
        return Optional.of(entry);
      }
    }
    return Optional.empty();
  }

  private static List<Entry> shortened(List<Entry> entries, int room) {
    if (entries.size() <= room || room == 0) {
      return entries.stream().limit(room).toList();
    }
    var kept = new ArrayList<>(entries.subList(0, room));
    Entry last = kept.removeLast();
    var verdicts = new ArrayList<>(last.verdicts());
    verdicts.add(
        Verdict.yes(
            AGGREGATED,
            "TooManyParents",
            (entries.size() - room)
                + " more parents have no entry: "
                + MAX_PARENTS
                + " is the most that a route's status takes"));
    kept.add(new Entry(last.parent(), verdicts));
    return kept;
  }

  /// Built only for what is written: most looks change nothing.
  private static ObjectNode json(Route route, List<Parent> parents) {
    ObjectNode status = Json.copy(route.otherStatus().tree());
    ArrayNode list = status.putArray("parents");
    for (Parent parent : parents) {
      switch (parent) {
        case Parent.Foreign(var raw) -> list.add(raw.deepCopy());
        case Parent.Own(var ref, var conditions) -> {
          ObjectNode node = list.addObject();
          node.set("parentRef", ref.toJson());
          node.put("controllerName", GatewayClass.OUR_CONTROLLER);
          node.set("conditions", Conditions.toJson(conditions));
        }
      }
    }
    return status;
  }
}
