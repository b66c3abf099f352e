package dev.penstock.agent.kubernetes.discovery;

import static java.util.stream.Collectors.joining;

import dev.penstock.agent.kubernetes.discovery.Index.Claim;
import dev.penstock.agent.kubernetes.objects.AllowedRoutes;
import dev.penstock.agent.kubernetes.objects.Gateway;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ParentRef;
import java.util.List;
import java.util.Optional;

/// Whether a route may attach to a Gateway, by the rules of the API alone.
///
/// @param accepted the condition
/// @param listeners those that take it; at least one exactly when it is accepted
record Attachment(Verdict accepted, List<CheckedListener> listeners) {
  private static final String TYPE = "Accepted";

  static Attachment of(Look look, Gateway gateway, List<CheckedListener> all, Claim claim) {
    List<CheckedListener> meant = all.stream().filter(one -> isMeant(claim.parent(), one)).toList();
    if (meant.isEmpty()) {
      return refused(
          "NoMatchingParent", "no listener of " + gateway.ref() + wanted(claim.parent()));
    }
    List<CheckedListener> ofKind =
        meant.stream().filter(one -> one.routes().contains(claim.route().kind())).toList();
    if (ofKind.isEmpty()) {
      return refused(
          "NotAllowedByListeners",
          claim.route().kind().label() + " is not allowed by " + names(meant));
    }
    String namespace = claim.route().meta().namespace();
    List<CheckedListener> taking =
        ofKind.stream().filter(one -> allows(look, gateway, one, namespace)).toList();
    if (!taking.isEmpty()) {
      return new Attachment(
          Verdict.yes(TYPE, "Accepted", "attached to " + names(taking) + furtherRules(claim)),
          taking);
    }
    Optional<String> unread = look.unread(Kind.NAMESPACE);
    if (unread.isPresent()
        && ofKind.stream()
            .anyMatch(one -> one.listener().allowed().from() == AllowedRoutes.From.SELECTOR)) {
      return new Attachment(
          Verdict.unknown(TYPE, "Pending", "namespaces are not known: " + unread.get()), List.of());
    }
    return refused(
        "NotAllowedByListeners",
        "routes of the namespace " + namespace + " are not allowed by " + names(ofKind));
  }

  private static boolean isMeant(ParentRef parent, CheckedListener one) {
    return parent.sectionName().map(one.listener().name()::equals).orElse(true)
        && (parent.port().isEmpty() || parent.port().getAsInt() == one.listener().port());
  }

  private static boolean allows(Look look, Gateway gateway, CheckedListener one, String namespace) {
    AllowedRoutes allowed = one.listener().allowed();
    return switch (allowed.from()) {
      case ALL -> true;
      case SAME -> namespace.equals(gateway.meta().namespace());
      case SELECTOR ->
          allowed.selector().map(by -> by.matches(look.labelsOf(namespace))).orElse(false)
              && look.isKnownNamespace(namespace);
      case NONE -> false;
    };
  }

  private static Attachment refused(String reason, String message) {
    return new Attachment(Verdict.no(TYPE, reason, message), List.of());
  }

  private static String wanted(ParentRef parent) {
    return parent.sectionName().map(name -> " has the name " + name).orElse("")
        + (parent.port().isPresent()
            ? (parent.sectionName().isPresent() ? " and" : " has")
                + " the port "
                + parent.port().getAsInt()
            : parent.sectionName().isPresent() ? "" : " is there");
  }

  private static String names(List<CheckedListener> listeners) {
    return (listeners.size() == 1 ? "listener " : "listeners ")
        + listeners.stream().limit(4).map(one -> one.listener().name()).collect(joining(", "))
        + (listeners.size() > 4 ? " and " + (listeners.size() - 4) + " more" : "");
  }

  private static String furtherRules(Claim claim) {
    int further = claim.route().rules().size() - 1;
    return further <= 0
        ? ""
        : "; only the first rule is used, " + further + " more can never match";
  }
}
