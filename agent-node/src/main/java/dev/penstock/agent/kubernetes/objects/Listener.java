package dev.penstock.agent.kubernetes.objects;

/// One listener of a Gateway.
///
/// @param port as it is written, which may be no port at all
/// @param protocol as it is written: `TCP`, `UDP`, `HTTP`, ...
/// @param hostname empty when it has none
/// @param tls whether it has settings of TLS
public record Listener(
    String name, int port, String protocol, String hostname, Tls tls, AllowedRoutes allowed) {
  /// Whether there are settings of TLS.
  public enum Tls {
    NONE,
    CONFIGURED
  }

  static Listener of(Fields fields) throws Malformed {
    return new Listener(
        fields.requiredText("name"),
        fields.port("port"),
        fields.requiredText("protocol"),
        fields.text("hostname"),
        fields.has("tls") ? Tls.CONFIGURED : Tls.NONE,
        AllowedRoutes.of(fields.object("allowedRoutes")));
  }
}
