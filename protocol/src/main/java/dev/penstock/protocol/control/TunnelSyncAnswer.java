package dev.penstock.protocol.control;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/// The answer to a [TunnelSync]: which tunnels were taken, and why the others were not.
public record TunnelSyncAnswer(List<RegisteredTunnel> accepted, List<Rejected> rejected) {
  /// A tunnel that was not taken.
  ///
  /// @param tunnelId empty when it could not be read
  public record Rejected(String tunnelId, String reason) {}

  public TunnelSyncAnswer {
    accepted = List.copyOf(accepted);
    rejected = List.copyOf(rejected);
  }

  public String encode() {
    ObjectNode node = Json.object();
    node.set("accepted", RegisteredTunnel.array(accepted));
    var list = node.putArray("rejected");
    rejected.forEach(
        one -> list.addObject().put("tunnel_id", one.tunnelId()).put("reason", one.reason()));
    return Json.write(node);
  }
}
