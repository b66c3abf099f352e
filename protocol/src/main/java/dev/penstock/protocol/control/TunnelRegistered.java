package dev.penstock.protocol.control;

/// The answer to a [TunnelRegistration]: where clients find the tunnel.
///
/// @param tunnelPort the public port, 1 to 65535
/// @param tunnelEndpoint `host:port` for clients; may be empty
public record TunnelRegistered(
    String tunnelId, Protocol protocol, int tunnelPort, String tunnelEndpoint) {
  private static final int MAX_LENGTH = 1024 * 1024;
  private static final int MAX_ENDPOINT = 1024;

  public TunnelRegistered {
    TunnelRegistration.requirePort("tunnelPort", tunnelPort);
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
    JsonFields fields = Json.read("tunnel", body, MAX_LENGTH);
    return new TunnelRegistered(
        TunnelRegistration.tunnelId(fields),
        TunnelRegistration.protocol(fields),
        (int) fields.requiredNumber("tunnel_port", 1, 0xffff),
        fields.text("tunnel_endpoint", MAX_ENDPOINT));
  }
}
