package dev.penstock.protocol.control;

/// The answer to a [TunnelRegistration]: where clients find the tunnel.
///
/// @param tunnelPort the public port, 1 to 65535; [#NO_PORT] when clients only reach the cluster's
///   own endpoint
/// @param tunnelEndpoint `host:port` for clients; may be empty
public record TunnelRegistered(
    String tunnelId, Protocol protocol, int tunnelPort, String tunnelEndpoint) {
  public static final int NO_PORT = 0;

  private static final int MAX_LENGTH = 1024 * 1024;
  private static final int MAX_ENDPOINT = 1024;

  public TunnelRegistered {
    if (tunnelPort != NO_PORT) {
      TunnelRegistration.requirePort("tunnelPort", tunnelPort);
    }
  }

  public String encode() {
    return Json.write(
        Json.object()
            .put("tunnel_id", tunnelId)
            .put("protocol", protocol.label())
            .put("tunnel_port", tunnelPort)
            .put("tunnel_endpoint", tunnelEndpoint));
  }

  /// Reads a body of at most 1,048,576 characters.
  public static TunnelRegistered decode(String body) throws MalformedMessage {
    return of(Json.read("tunnel", body, MAX_LENGTH));
  }

  static TunnelRegistered of(JsonFields fields) throws MalformedMessage {
    return new TunnelRegistered(
        TunnelRegistration.tunnelId(fields),
        TunnelRegistration.protocol(fields),
        port(fields),
        fields.text("tunnel_endpoint", MAX_ENDPOINT));
  }

  private static int port(JsonFields fields) throws MalformedMessage {
    return TunnelRegistration.routingMode(fields) == RoutingMode.DIRECT
        ? (int) fields.number("tunnel_port", 1, 0xffff, NO_PORT)
        : (int) fields.requiredNumber("tunnel_port", 1, 0xffff);
  }
}
