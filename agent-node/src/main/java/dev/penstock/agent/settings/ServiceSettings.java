package dev.penstock.agent.settings;

import dev.penstock.access.AccessRules;
import dev.penstock.config.HostPort;
import dev.penstock.config.Kind;
import dev.penstock.config.Section;
import dev.penstock.protocol.net.ProxyHeader;
import java.util.OptionalInt;
import java.util.regex.Pattern;

/// One service to expose, an entry of `tunnels.services`.
///
/// @param name `tunnels.services[].name`: 1 to 63 lower case letters, digits and `-`; the service's
///   identity, so that a name keeps its public port
/// @param protocol `tunnels.services[].protocol`: only `tcp`, which is the default
/// @param port `tunnels.services[].port`: the listener port, 1 to 65535; the public port preferred
///   is 10000 more
/// @param target `tunnels.services[].target`: `host:port` that the agent connects to
/// @param publicPort `tunnels.services[].public_port`: the public port wanted, 1 to 65535; empty
///   for the gateway's choice
/// @param proxyProtocol `tunnels.services[].proxy_protocol`: the header by which the service learns
///   who calls, `none`, `v1` or `v2`; default none
/// @param access `tunnels.services[].access`: who may connect; the gateway sees to it
public record ServiceSettings(
    String name,
    Protocol protocol,
    int port,
    HostPort target,
    OptionalInt publicPort,
    ProxyHeader proxyProtocol,
    AccessRules access) {
  static final Pattern NAME = Pattern.compile("[a-z0-9-]{1,63}");
  static final String NAME_EXPECTED = "1 to 63 lower case letters, digits and \"-\", such as redis";

  /// What can be carried.
  public enum Protocol {
    TCP
  }

  static ServiceSettings of(Section section) {
    return new ServiceSettings(
        section.require("name", Kind.text(NAME, NAME_EXPECTED, "redis")),
        section.get("protocol", Kind.oneOf(Protocol.class), Protocol.TCP),
        section.require("port", Kind.port()),
        section.require("target", Kind.targetAddress()),
        section.find("public_port", Kind.port()).map(OptionalInt::of).orElseGet(OptionalInt::empty),
        section.get("proxy_protocol", Kind.oneOf(ProxyHeader.class), ProxyHeader.NONE),
        AccessRules.of(section.section("access")));
  }

  static ServiceSettings of(Expose expose) {
    return new ServiceSettings(
        expose.name(),
        Protocol.TCP,
        expose.target().port(),
        expose.target(),
        expose.publicPort(),
        ProxyHeader.NONE,
        AccessRules.EVERYBODY);
  }
}
