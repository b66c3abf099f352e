package dev.penstock.gateway.leases.sharded;

import dev.penstock.gateway.leases.LeaseRequest;
import dev.penstock.gateway.leases.PortWish;
import dev.penstock.gateway.leases.Transport;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.leases.TunnelRecord.Origin;

/// A [LeaseRequest] on its way to another node.
///
/// @param near the listener's port; 0 when no port near it is wanted
/// @param exactly the port wanted by number; 0 when there is none
record Request(
    String tunnelId,
    Transport transport,
    int near,
    int exactly,
    Origin origin,
    String registration) {
  static Request of(LeaseRequest request) {
    return new Request(
        request.identity().tunnelId(),
        request.transport(),
        request.wish() instanceof PortWish.Near(int listenerPort) ? listenerPort : 0,
        request.wish() instanceof PortWish.Exactly(int port) ? port : 0,
        request.origin(),
        request.registration());
  }

  LeaseRequest of(String cluster) {
    PortWish wish =
        exactly > 0
            ? new PortWish.Exactly(exactly)
            : near > 0 ? new PortWish.Near(near) : new PortWish.None();
    return new LeaseRequest(
        new TunnelIdentity(cluster, tunnelId), transport, wish, origin, registration);
  }
}
