package dev.penstock.agent.kubernetes.discovery;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.agent.kubernetes.discovery.Notice.Level;
import dev.penstock.agent.kubernetes.discovery.RouteStatuses.Entry;
import dev.penstock.agent.kubernetes.objects.Condition;
import dev.penstock.agent.kubernetes.objects.Gateway;
import dev.penstock.agent.kubernetes.objects.GatewayClass;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.RawJson;
import dev.penstock.agent.kubernetes.objects.Route;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// The GatewayClasses that are ours, their Gateways and the routes of those: tunnels and complete
/// statuses.
final class OwnGateways {
  private static final String FINALIZER = "gateway-exists-finalizer.gateway.networking.k8s.io";

  /// In the order in which the API wants them: that of their names.
  private static final List<String> FEATURES =
      List.of("Gateway", "ReferenceGrant", "TCPRoute", "UDPRoute");

  private final Look look;
  private final Memory memory;
  private final List<Exposure> exposures = new ArrayList<>();
  private final List<StatusWrite> statuses = new ArrayList<>();
  private final List<FinalizersWrite> finalizers = new ArrayList<>();

  /// By route, and then by its reference.
  private final Map<ObjectRef, List<Entry>> entries = new HashMap<>();

  private OwnGateways(Look look, Memory memory) {
    this.look = look;
    this.memory = memory;
  }

  /// What is remembered from one look to the next.
  record Memory(Recall<OwnGateway.Found> gateways, Recall<Optional<StatusWrite>> routes) {
    Memory() {
      this(new Recall<>(), new Recall<>());
    }
  }

  /// A route with all that is said of it.
  private record Spoken(Route route, List<Entry> entries) {}

  /// What was found out.
  record Result(
      List<Exposure> exposures, List<StatusWrite> statuses, List<FinalizersWrite> finalizers) {}

  static Result of(Look look, Memory memory) {
    var own = new OwnGateways(look, memory);
    // Which Gateway is whose is not known without these; what is known is better left as it is.
    if (look.unread(Kind.GATEWAY_CLASS).isEmpty() && look.unread(Kind.GATEWAY).isEmpty()) {
      own.classes();
      own.gateways();
      own.routes();
    }
    return new Result(own.exposures, own.statuses, own.finalizers);
  }

  /// Whether a Gateway is of a class of ours.
  static Optional<GatewayClass> classOf(Look look, Gateway gateway) {
    return look.gatewayClass(gateway.className())
        .filter(one -> one.controllerName().equals(GatewayClass.OUR_CONTROLLER));
  }

  private void classes() {
    Set<String> used = new HashSet<>();
    look.view().gateways().forEach(gateway -> used.add(gateway.className()));
    for (GatewayClass one : look.view().classes()) {
      if (one.controllerName().equals(GatewayClass.OUR_CONTROLLER)) {
        classStatus(one);
        finalizers(one, used.contains(one.meta().name()));
      }
    }
  }

  private void classStatus(GatewayClass one) {
    Verdict accepted =
        switch (Parameters.of(look, one)) {
          case Parameters.Known _ ->
              Verdict.yes("Accepted", "Accepted", "its Gateways are tunnelled");
          case Parameters.Unknown(var verdict) -> verdict;
        };
    if (accepted.reason().equals("InvalidParameters")) {
      look.tell(one, Level.WARNING, accepted.reason(), accepted.message());
    }
    long generation = one.meta().generation();
    List<Condition> conditions =
        Conditions.merge(
            one.conditions(),
            List.of(
                accepted,
                Verdict.yes(
                    "SupportedVersion", "SupportedVersion", "the version of the API is known")),
            generation,
            look.now());
    boolean stored =
        conditions.equals(one.conditions()) && one.supportedFeatures().equals(FEATURES);
    if (!stored && !Conditions.areAhead(one.conditions(), generation)) {
      ObjectNode status = Json.copy(one.status().tree());
      status.set("conditions", Conditions.toJson(conditions));
      ArrayNode features = status.putArray("supportedFeatures");
      FEATURES.forEach(name -> features.addObject().put("name", name));
      statuses.add(
          new StatusWrite(
              one.ref(), one.meta().uid(), one.meta().resourceVersion(), RawJson.of(status)));
    }
  }

  private void finalizers(GatewayClass one, boolean isUsed) {
    List<String> stored = one.meta().finalizers();
    // The API server adds none to an object that is on its way out.
    if (isUsed == stored.contains(FINALIZER) || (isUsed && one.meta().isDeleting())) {
      return;
    }
    var wanted = new ArrayList<>(stored);
    if (isUsed) {
      wanted.add(FINALIZER);
    } else {
      wanted.remove(FINALIZER);
    }
    finalizers.add(
        new FinalizersWrite(one.ref(), one.meta().uid(), one.meta().resourceVersion(), wanted));
  }

  private void gateways() {
    for (Gateway gateway : look.gateways()) {
      if (classOf(look, gateway).isPresent() && !gateway.meta().isDeleting()) {
        OwnGateway.Found found =
            memory
                .gateways()
                .of(look, gateway.ref(), gateway, () -> OwnGateway.find(look, gateway));
        exposures.addAll(found.exposures());
        found
            .routes()
            .forEach(one ->
                entries.computeIfAbsent(one.route(), _ -> new ArrayList<>()).add(one.entry()));
        found.status().ifPresent(statuses::add);
      }
    }
  }

  private void routes() {
    for (Route route : look.routes()) {
      if (!route.meta().isDeleting()) {
        List<Entry> said = entries.getOrDefault(route.ref(), List.of());
        memory
            .routes()
            .of(look, route.ref(), new Spoken(route, said), () -> status(route, said))
            .ifPresent(statuses::add);
      }
    }
  }

  private Optional<StatusWrite> status(Route route, List<Entry> said) {
    return RouteStatuses.of(route, inOrder(route, said), look.now())
        .map(status ->
            new StatusWrite(
                route.ref(),
                route.meta().uid(),
                route.meta().resourceVersion(),
                RawJson.of(status)));
  }

  /// The entries of a route in the order of its references: they were found Gateway by Gateway.
  private static List<Entry> inOrder(Route route, List<Entry> found) {
    var ordered = new ArrayList<Entry>();
    for (var parent : route.parents()) {
      boolean isNew =
          ordered.stream().noneMatch(one -> one.parent().isSame(parent, route.meta().namespace()));
      if (isNew) {
        found.stream()
            .filter(one -> one.parent().equals(parent))
            .findFirst()
            .ifPresent(ordered::add);
      }
    }
    return ordered;
  }
}
