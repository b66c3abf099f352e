package dev.penstock.gateway.observe;

/// What a peer of the agents' port did that was refused.
public enum Rejection {
  NO_TOKEN,
  WRONG_TOKEN,
  FOREIGN_CLUSTER,
  /// Agents of another Kubernetes cluster are linked under the same name.
  FOREIGN_KUBERNETES,
  UNKNOWN_PATH,
  /// Nothing that can be understood as an HTTP request came, or not in time.
  BAD_HANDSHAKE,
  NOT_REGISTERED_IN_TIME,
  TOO_MANY_LINKS,
  /// The oldest connection that was no link, closed to make room for a new one.
  TOO_MANY_UNUPGRADED,
  TOO_MANY_HANDSHAKES,
  /// More agents of all clusters link at once than the node takes.
  NODE_BUSY,
  /// A link to a node that is about to end.
  DRAINING,
  /// A socket without a yamux session from which nothing came for long.
  SILENT,
  WEBSOCKET_VIOLATION,
  YAMUX_VIOLATION,
  /// A link whose ends have no carrier of streams in common.
  NO_COMMON_PROTOCOL,
  /// More tunnel messages to answer than the agent reads.
  TUNNEL_VIOLATION,
  /// A message of a tunnel in JSON on a link that carries none.
  UNEXPECTED_TUNNEL_MESSAGE,
  /// A message of a tunnel in JSON that breaks the rules for its fields; base64 that is none.
  UNREADABLE_TUNNEL_MESSAGE,
  /// A gap or a repetition in the data of a stream in JSON.
  TUNNEL_SEQUENCE,
  /// More data of a stream in JSON than was credited, or a senseless credit.
  TUNNEL_CREDIT,
  TUNNEL_DATA_AFTER_FIN,
  /// An answer to a dial that nobody waited for, or data before it.
  TUNNEL_DIAL,
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
