package dev.penstock.gateway.observe;

/// What a peer of the agents' port did that was refused.
public enum Rejection {
  NO_TOKEN,
  WRONG_TOKEN,
  FOREIGN_CLUSTER,
  UNKNOWN_PATH,
  /// Nothing that can be understood as an HTTP request came, or not in time.
  BAD_HANDSHAKE,
  NOT_REGISTERED_IN_TIME,
  NO_HELLO_ACK,
  TOO_MANY_LINKS,
  WEBSOCKET_VIOLATION,
  YAMUX_VIOLATION,
  MALFORMED_MESSAGE,
  NOT_READING,
  FOREIGN_STREAM,
  BAD_REGISTRATION,
  PORT_CONFLICT,
  /// A body longer than a registration or a sync may be.
  BODY_TOO_LARGE,
  /// A sync that names one tunnel twice.
  DUPLICATE_TUNNEL,
  /// More tunnels, or longer registrations, than one cluster may have.
  OVER_QUOTA,
  /// A sync while others of the cluster are under way.
  TOO_MANY_SYNCS
}
