package dev.penstock.protocol.control;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What the gateway tells of a tunnel: its registration and where clients find it.
///
/// @param tunnelPort the public port; `null` when clients only reach the cluster's own endpoint
/// @param tunnelEndpoint `host:port` for clients; empty without a port
/// @param fencing number of the grant of the port; of two answers about one port the one with the
///   higher number is the later; 0 without a port
public record RegisteredTunnel(
    TunnelRegistration registration,
    @Nullable Integer tunnelPort,
    String tunnelEndpoint,
    long fencing,
    State state) {
  /// Whether clients are accepted at the port now.
  public enum State {
    LISTENING,
    NOT_LISTENING
  }

  public RegisteredTunnel {
    if (tunnelPort != null) {
      TunnelRegistration.requirePort("tunnelPort", tunnelPort);
    }
  }

  /// The answer to the registration of one tunnel.
  public String encode() {
    return Json.write(json());
  }

  /// The answer to the question for all tunnels: a bare array.
  public static String encodeAll(List<RegisteredTunnel> tunnels) {
    return Json.write(array(tunnels));
  }

  static ArrayNode array(List<RegisteredTunnel> tunnels) {
    ArrayNode array = JsonNodeFactory.instance.arrayNode(tunnels.size());
    tunnels.forEach(tunnel -> array.add(tunnel.json()));
    return array;
  }

  private ObjectNode json() {
    ObjectNode node = registration.json();
    if (tunnelPort != null) {
      node.put("tunnel_port", tunnelPort);
      node.put("tunnel_endpoint", tunnelEndpoint);
      node.put("tunnel_fencing", fencing);
    }
    return node.put("listening", state == State.LISTENING);
  }
}
