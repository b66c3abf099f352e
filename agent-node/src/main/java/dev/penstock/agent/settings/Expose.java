package dev.penstock.agent.settings;

import dev.penstock.config.ConfigException;
import dev.penstock.config.HostPort;
import dev.penstock.protocol.control.Protocol;
import java.util.OptionalInt;

/// One service of the one-line form, `name=host:port` or `name=host:port@public-port`, with
/// `udp://` before the host for a UDP service.
///
/// @param protocol TCP, unless the text says otherwise
/// @param target where the agent connects to; its port is also the listener port
/// @param publicPort the public port wanted, empty for the gateway's choice
public record Expose(String name, Protocol protocol, HostPort target, OptionalInt publicPort) {
  private static final String UDP = "udp://";

  private static final String EXPECTED =
      "name=host:port or name=host:port@public-port, such as web=127.0.0.1:8000@18000";

  /// A TCP service.
  public Expose(String name, HostPort target, OptionalInt publicPort) {
    this(name, Protocol.TCP, target, publicPort);
  }

  /// Takes the text apart.
  ///
  /// @throws ConfigException when the text has another form or a part is out of its bounds
  public static Expose parse(String text) {
    int equals = text.indexOf('=');
    if (equals < 0) {
      throw refuse(text, "without a name before \"=\"", EXPECTED);
    }
    String name = text.substring(0, equals);
    if (!ServiceSettings.NAME.matcher(name).matches()) {
      throw refuse(text, "whose name is \"" + name + "\"", ServiceSettings.NAME_EXPECTED);
    }
    int at = text.lastIndexOf('@');
    String target = text.substring(equals + 1, at < 0 ? text.length() : at);
    Protocol protocol = Protocol.TCP;
    if (target.startsWith(UDP)) {
      protocol = Protocol.UDP;
      target = target.substring(UDP.length());
    }
    var address = HostPort.parse(target).filter(it -> it.port() > 0);
    if (address.isEmpty()) {
      throw refuse(text, "whose target is \"" + target + "\"", EXPECTED);
    }
    if (at < 0) {
      return new Expose(name, protocol, address.get(), OptionalInt.empty());
    }
    String port = text.substring(at + 1);
    if (!port.matches("[0-9]{1,5}")
        || Integer.parseInt(port) < 1
        || Integer.parseInt(port) > 65_535) {
      throw refuse(text, "whose public port is \"" + port + "\"", "1 to 65535");
    }
    return new Expose(name, protocol, address.get(), OptionalInt.of(Integer.parseInt(port)));
  }

  private static ConfigException refuse(String text, String why, String expected) {
    return new ConfigException(
        "--expose: found \"" + text + "\", " + why + " (expected: " + expected + ")");
  }
}
