package dev.penstock.agent.kubernetes.objects;

import java.util.List;
import java.util.Optional;

/// Which routes may attach to a listener.
///
/// @param selector of the namespaces' labels, for [From#SELECTOR]; without one no namespace matches
/// @param kinds as they are written; empty allows every kind that the protocol has
public record AllowedRoutes(
    From from, Optional<LabelSelector> selector, List<RouteGroupKind> kinds) {
  /// From which namespaces.
  public enum From {
    SAME,
    ALL,
    SELECTOR,
    /// None: a later version's, or a slip.
    NONE
  }

  public AllowedRoutes {
    kinds = List.copyOf(kinds);
  }

  /// A kind of routes, as it is written.
  public record RouteGroupKind(String group, String kind) {
    static RouteGroupKind of(Fields fields) throws Malformed {
      return new RouteGroupKind(
          fields.optionalText("group").orElse(Kind.GATEWAY.group()), fields.requiredText("kind"));
    }
  }

  static AllowedRoutes of(Fields fields) throws Malformed {
    Fields namespaces = fields.object("namespaces");
    return new AllowedRoutes(
        switch (namespaces.optionalText("from").orElse("Same")) {
          case "Same" -> From.SAME;
          case "All" -> From.ALL;
          case "Selector" -> From.SELECTOR;
          default -> From.NONE;
        },
        namespaces.has("selector")
            ? Optional.of(LabelSelector.of(namespaces.object("selector")))
            : Optional.empty(),
        fields.list("kinds", RouteGroupKind::of));
  }
}
