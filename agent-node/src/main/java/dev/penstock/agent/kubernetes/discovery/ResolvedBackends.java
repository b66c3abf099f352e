package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.discovery.DiscoveryOptions.GrantPolicy;
import dev.penstock.agent.kubernetes.objects.BackendRef;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.Route;
import dev.penstock.agent.kubernetes.objects.Service;
import dev.penstock.agent.kubernetes.objects.ServicePort;
import dev.penstock.protocol.control.Protocol;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Where a route's connections go: its first rule's backends, the invalid ones with their share.
///
/// @param verdict the condition
/// @param backends of all weights
/// @param tolerated references that have no ReferenceGrant and work all the same
record ResolvedBackends(Verdict verdict, List<Backend> backends, List<ObjectRef> tolerated) {
  private static final String TYPE = "ResolvedRefs";

  /// Either a backend, or why there is none.
  private record One(Backend backend, Optional<Verdict> problem) {}

  static ResolvedBackends of(Look look, Route route, GrantPolicy policy) {
    var backends = new ArrayList<Backend>();
    var problems = new ArrayList<Verdict>();
    var tolerated = new ArrayList<ObjectRef>();
    List<BackendRef> refs =
        route.rules().isEmpty() ? List.of() : route.rules().getFirst().backends();
    for (BackendRef ref : refs) {
      One one = resolve(look, route, ref, policy, tolerated);
      backends.add(one.backend());
      one.problem().ifPresent(problems::add);
    }
    return new ResolvedBackends(verdict(backends.size(), problems), backends, tolerated);
  }

  private static Verdict verdict(int backends, List<Verdict> problems) {
    if (problems.isEmpty()) {
      return Verdict.yes(
          TYPE,
          "ResolvedRefs",
          backends == 0 ? "there are no backends: every client is refused" : "all are there");
    }
    Verdict first = problems.getFirst();
    return new Verdict(
        TYPE,
        first.status(),
        first.reason(),
        problems.size() == 1
            ? first.message()
            : first.message() + "; so are " + (problems.size() - 1) + " more of " + backends);
  }

  private static One resolve(
      Look look, Route route, BackendRef ref, GrantPolicy policy, List<ObjectRef> tolerated) {
    if (!ref.isService()) {
      return invalid(
          ref,
          "InvalidKind",
          "backend "
              + ref.name()
              + ": "
              + (ref.group().isEmpty() ? "" : ref.group() + "/")
              + ref.kind()
              + " (expected: Service)");
    }
    var target =
        new ObjectRef(Kind.SERVICE, ref.namespace().orElse(route.meta().namespace()), ref.name());
    if (!look.isGranted(route.ref(), target)) {
      if (policy == GrantPolicy.ENFORCE) {
        return invalid(ref, "RefNotPermitted", notGranted(look, route, target));
      }
      tolerated.add(target);
    }
    Optional<Service> service = look.service(target);
    if (service.isEmpty()) {
      Optional<String> unread = look.unread(Kind.SERVICE);
      return unread.isPresent()
          ? new One(
              new Backend.Invalid(ref.weight(), "Services are not known: " + unread.get()),
              Optional.of(
                  Verdict.unknown(TYPE, "Pending", "Services are not known: " + unread.get())))
          : invalid(
              ref,
              "BackendNotFound",
              look.problemOf(target)
                  .map(problem -> target + " cannot be read: " + problem)
                  .orElse(target + " is not there"));
    }
    return ofService(ref, service.get(), route.protocol());
  }

  private static One ofService(BackendRef ref, Service service, Protocol protocol) {
    if (service.type().equals(Service.EXTERNAL_NAME)) {
      return invalid(
          ref,
          "BackendNotFound",
          service.ref() + " is an ExternalName (expected: a Service with endpoints)");
    }
    if (ref.port().isEmpty()) {
      return invalid(ref, "BackendNotFound", service.ref() + ": no port is named");
    }
    int number = ref.port().getAsInt();
    List<ServicePort> ports =
        service.ports().stream().filter(port -> port.port() == number).toList();
    if (ports.isEmpty() || number < 1 || number > 0xffff) {
      return invalid(ref, "BackendNotFound", service.ref() + " has no port " + number);
    }
    return ports.stream()
        .filter(port -> port.protocol().equals(protocol.name()))
        .findFirst()
        .map(port ->
            new One(
                new Backend.ToService(ref.weight(), service.ref(), port.name(), number),
                Optional.empty()))
        .orElseGet(() ->
            invalid(
                ref,
                "UnsupportedProtocol",
                service.ref()
                    + ": port "
                    + number
                    + " is "
                    + ports.getFirst().protocol()
                    + " (expected: "
                    + protocol.name()
                    + ")"));
  }

  private static String notGranted(Look look, Route route, ObjectRef target) {
    return look.unread(Kind.REFERENCE_GRANT)
        .map(why -> target + ": ReferenceGrants are not known: " + why)
        .orElse(
            target
                + ": no ReferenceGrant of its namespace allows "
                + route.kind().label()
                + "s of "
                + route.meta().namespace());
  }

  private static One invalid(BackendRef ref, String reason, String message) {
    return new One(
        new Backend.Invalid(ref.weight(), message), Optional.of(Verdict.no(TYPE, reason, message)));
  }
}
