package dev.penstock.gateway.observe;

/// Why a client was reset without being carried.
public enum ClientRefusal {
  /// No agent of the tunnel's cluster is linked.
  NO_LINK,
  /// Every linked agent failed to reach the service.
  DIAL_FAILED,
  /// The tunnel was registered without a service: no route leads to one yet.
  NO_SERVICE,
  /// `gateway.public.max_connections` are open.
  TOO_MANY_CONNECTIONS,
  /// The client was gone before it was served.
  GONE,
  /// The system could not hand the connection out.
  ACCEPT_FAILED
}
