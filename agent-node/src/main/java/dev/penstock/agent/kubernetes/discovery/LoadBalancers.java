package dev.penstock.agent.kubernetes.discovery;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.agent.kubernetes.discovery.Notice.Level;
import dev.penstock.agent.kubernetes.objects.LoadBalancerIngress;
import dev.penstock.agent.kubernetes.objects.RawJson;
import dev.penstock.agent.kubernetes.objects.Service;
import dev.penstock.agent.kubernetes.objects.ServicePort;
import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.PortPolicy;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.RoutingMode;
import dev.penstock.protocol.net.ProxyHeader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Services of type `LoadBalancer` with our class: a tunnel per port, and a status that tells the
/// public ports.
final class LoadBalancers {
  /// Errors that are not the API's own need one in front.
  private static final String DOMAIN = "penstock.dev/";

  private static final String UNSUPPORTED = "UnsupportedProtocol";

  private final Look look;
  private final List<Exposure> exposures = new ArrayList<>();
  private final List<StatusWrite> statuses = new ArrayList<>();

  private LoadBalancers(Look look) {
    this.look = look;
  }

  record Result(List<Exposure> exposures, List<StatusWrite> statuses) {}

  static Result of(Look look) {
    var balancers = new LoadBalancers(look);
    look.services()
        .filter(one ->
            one.type().equals(Service.LOAD_BALANCER)
                && one.loadBalancerClass().equals(DiscoveryOptions.LOAD_BALANCER_CLASS)
                && !one.meta().isDeleting())
        .forEach(balancers::service);
    return new Result(balancers.exposures, balancers.statuses);
  }

  private void service(Service service) {
    PortPolicy policy = Annotations.portPolicy(look, service).orElse(PortPolicy.ALLOCATE);
    Optional<Duration> idle = Annotations.idleTimeout(look, service);
    var byHost = new LinkedHashMap<String, List<LoadBalancerIngress.Port>>();
    var failed = new ArrayList<LoadBalancerIngress.Port>();
    boolean isKept = false;
    for (ServicePort port : service.ports()) {
      Optional<Protocol> protocol = protocol(port);
      if (protocol.isEmpty()) {
        look.tell(
            service,
            Level.WARNING,
            UNSUPPORTED,
            "port " + port.port() + ": " + port.protocol() + " (expected: TCP or UDP)");
        failed.add(
            new LoadBalancerIngress.Port(port.port(), port.protocol(), DOMAIN + UNSUPPORTED));
        continue;
      }
      if (port.port() < 1 || port.port() > 0xffff) {
        look.tell(
            service,
            Level.WARNING,
            Grant.Cause.PORT.reason(),
            "port: " + port.port() + " (expected: 1 to 65535)");
        continue;
      }
      DesiredTunnel tunnel = tunnel(service, port, protocol.get(), policy, idle);
      exposures.add(
          new Exposure(
              tunnel,
              service,
              port.name().isEmpty() ? Integer.toString(port.port()) : port.name(),
              List.of()));
      switch (look.grant(tunnel.id()).orElse(null)) {
        case Grant.Granted(var endpoint) -> {
          byHost
              .computeIfAbsent(endpoint.host(), _ -> new ArrayList<>())
              .add(new LoadBalancerIngress.Port(endpoint.port(), port.protocol(), ""));
          look.tell(
              service,
              Level.NORMAL,
              "Tunnelled",
              "port " + port.port() + ": clients connect to " + endpoint);
        }
        case Grant.Refused(var cause, var message) -> {
          look.tell(service, Level.WARNING, cause.reason(), "port " + port.port() + ": " + message);
          failed.add(
              new LoadBalancerIngress.Port(port.port(), port.protocol(), DOMAIN + cause.reason()));
        }
        case null, default -> isKept |= !service.ingress().isEmpty() && look.isHeld();
      }
    }
    if (!isKept) {
      status(service, ingress(byHost, failed));
    }
  }

  private static Optional<Protocol> protocol(ServicePort port) {
    return switch (port.protocol()) {
      case "TCP" -> Optional.of(Protocol.TCP);
      case "UDP" -> Optional.of(Protocol.UDP);
      default -> Optional.empty();
    };
  }

  private DesiredTunnel tunnel(
      Service service,
      ServicePort port,
      Protocol protocol,
      PortPolicy policy,
      Optional<Duration> idle) {
    return new DesiredTunnel(
        new TunnelKey(
            look.options().cluster(), protocol, service.ref(), Integer.toString(port.port())),
        port.port(),
        policy,
        RoutingMode.TUNNEL,
        Optional.empty(),
        List.of(),
        List.of(new Backend.ToService(1, service.ref(), port.name(), port.port())),
        look.options().dialling(),
        ProxyHeader.NONE,
        idle,
        Annotations.forGateway(service.meta()));
  }

  /// An entry per public address. Without one nothing is told: an entry that names only failures
  /// would look like a load balancer.
  private static List<LoadBalancerIngress> ingress(
      Map<String, List<LoadBalancerIngress.Port>> byHost, List<LoadBalancerIngress.Port> failed) {
    var ingress = new ArrayList<LoadBalancerIngress>();
    byHost.forEach((host, ports) -> {
      var all = new ArrayList<>(ports);
      if (ingress.isEmpty()) {
        all.addAll(failed);
      }
      boolean isLiteral = Addresses.isLiteral(host);
      ingress.add(new LoadBalancerIngress(isLiteral ? host : "", isLiteral ? "" : host, all));
    });
    return ingress;
  }

  private void status(Service service, List<LoadBalancerIngress> ingress) {
    if (ingress.equals(service.ingress())) {
      return;
    }
    ObjectNode status = Json.copy(service.status().tree());
    ObjectNode balancer = status.putObject("loadBalancer");
    if (!ingress.isEmpty()) {
      ArrayNode list = balancer.putArray("ingress");
      ingress.forEach(one -> list.add(json(one)));
    }
    statuses.add(
        new StatusWrite(
            service.ref(),
            service.meta().uid(),
            service.meta().resourceVersion(),
            RawJson.of(status)));
  }

  private static ObjectNode json(LoadBalancerIngress one) {
    ObjectNode node = Json.object();
    if (one.hostname().isEmpty()) {
      // Otherwise the nodes would keep connections to this address inside of the cluster.
      node.put("ip", one.ip()).put("ipMode", "Proxy");
    } else {
      node.put("hostname", one.hostname());
    }
    ArrayNode ports = node.putArray("ports");
    for (LoadBalancerIngress.Port port : one.ports()) {
      ObjectNode entry =
          ports.addObject().put("port", port.port()).put("protocol", port.protocol());
      if (!port.error().isEmpty()) {
        entry.put("error", port.error());
      }
    }
    return node;
  }
}
