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
  PORT_CONFLICT
}
