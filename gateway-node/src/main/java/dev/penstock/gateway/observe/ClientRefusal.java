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
  /// The client's address is in a `deny` list.
  SOURCE_DENIED,
  /// The client's address is in no block of an `allow` list.
  SOURCE_NOT_ALLOWED,
  /// An operator has banned the client's address.
  SOURCE_BANNED,
  /// The client's source has `max_connections_per_source` connections.
  SOURCE_TOO_MANY,
  /// The client's source opened `new_connections_per_second` in a second.
  SOURCE_TOO_FAST,
  /// The tunnel has `max_connections` connections, of all sources.
  TUNNEL_FULL,
  /// A header of the PROXY protocol is required, and the peer is not trusted.
  PROXY_UNTRUSTED,
  /// A header of the PROXY protocol is required, and a trusted peer sent none.
  PROXY_MISSING,
  /// A trusted peer's header of the PROXY protocol was malformed.
  PROXY_MALFORMED,
  /// A trusted peer's header of the PROXY protocol was not complete in time.
  PROXY_TIMED_OUT,
  /// Too many connections of trusted peers wait for their header.
  PROXY_TOO_MANY,
  /// The client was gone before it was served.
  GONE,
  /// The system could not hand the connection out.
  ACCEPT_FAILED
}
