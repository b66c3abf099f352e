package dev.penstock.agent.settings;

import dev.penstock.access.AccessRules;
import dev.penstock.config.HostPort;
import dev.penstock.config.Kind;
import dev.penstock.config.Section;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.RoutingMode;
import dev.penstock.protocol.net.ProxyHeader;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Pattern;

/// One service to expose, an entry of `tunnels.services`.
///
/// @param name `tunnels.services[].name`: 1 to 63 lower case letters, digits and `-`; the service's
///   identity, so that a name keeps its public port
/// @param protocol `tunnels.services[].protocol`: `tcp`, which is the default, or `udp`
/// @param port `tunnels.services[].port`: the listener port, 1 to 65535; the public port preferred
///   is 10000 more
/// @param target `tunnels.services[].target`: `host:port` that the agent connects to
/// @param publicPort `tunnels.services[].public_port`: the public port wanted, 1 to 65535; empty
///   for the gateway's choice
/// @param proxyProtocol `tunnels.services[].proxy_protocol`: the header by which the service learns
///   who calls, `none`, `v1` or `v2`; default none
/// @param access `tunnels.services[].access`: who may connect; the gateway sees to it
/// @param publicEndpoint `tunnels.services[].public_endpoint`: `host:port` where clients reach the
///   service without the gateway; empty when they cannot
/// @param routingMode which ways are told to clients: made of `tunnels.services[].routing_mode` and
///   [RoutingSettings]
/// @param tcp `tunnels.services[].tcp` over `tunnels.tcp`
/// @param udp `tunnels.services[].udp` over `tunnels.udp`
public record ServiceSettings(
    String name,
    Protocol protocol,
    int port,
    HostPort target,
    OptionalInt publicPort,
    ProxyHeader proxyProtocol,
    AccessRules access,
    Optional<HostPort> publicEndpoint,
    RoutingMode routingMode,
    TcpSettings tcp,
    UdpSettings udp) {
  static final Pattern NAME = Pattern.compile("[a-z0-9-]{1,63}");
  static final String NAME_EXPECTED = "1 to 63 lower case letters, digits and \"-\", such as redis";

  /// What holds for every service that does not say otherwise.
  record Common(RoutingSettings routing, TcpSettings tcp, UdpSettings udp) {}

  static ServiceSettings of(Section section, Common common) {
    var name = section.require("name", Kind.text(NAME, NAME_EXPECTED, "redis"));
    var protocol = section.get("protocol", Kind.oneOf(Protocol.class), Protocol.TCP);
    var port = section.require("port", Kind.port());
    var target = section.require("target", Kind.targetAddress());
    var publicPort = section.find("public_port", Kind.port());
    var publicEndpoint = section.find("public_endpoint", Kind.targetAddress());
    return new ServiceSettings(
        name,
        protocol,
        port,
        target,
        publicPort.map(OptionalInt::of).orElseGet(OptionalInt::empty),
        proxyProtocol(section, protocol),
        AccessRules.of(section.section("access")),
        publicEndpoint,
        routingMode(section, publicEndpoint, common.routing()),
        TcpSettings.of(section.section("tcp").fallingBackTo("tunnels.tcp"), common.tcp()),
        UdpSettings.of(section.section("udp").fallingBackTo("tunnels.udp"), common.udp()));
  }

  private static ProxyHeader proxyProtocol(Section section, Protocol protocol) {
    var header = section.get("proxy_protocol", Kind.oneOf(ProxyHeader.class), ProxyHeader.NONE);
    if (header == ProxyHeader.V1 && protocol == Protocol.UDP) {
      section.refuse("proxy_protocol", "found v1 for a udp service", "v2: v1 knows TCP only");
    }
    return header;
  }

  private static RoutingMode routingMode(
      Section section, Optional<HostPort> endpoint, RoutingSettings routing) {
    int problems = section.problemCount();
    var wanted = section.find("routing_mode", Kind.oneOf(RoutingMode.class));
    if (wanted.isPresent()
        && wanted.get() != RoutingMode.TUNNEL
        && endpoint.isEmpty()
        && section.problemCount() == problems) {
      section.missing(
          "public_endpoint",
          "host:port where clients reach the service themselves, for routing_mode "
              + wanted.get().label());
    }
    return routing.modeOf(wanted, endpoint);
  }

  static ServiceSettings of(Expose expose, Common common) {
    return new ServiceSettings(
        expose.name(),
        expose.protocol(),
        expose.target().port(),
        expose.target(),
        expose.publicPort(),
        ProxyHeader.NONE,
        AccessRules.EVERYBODY,
        Optional.empty(),
        common.routing().modeOf(Optional.empty(), Optional.empty()),
        common.tcp(),
        common.udp());
  }
}
