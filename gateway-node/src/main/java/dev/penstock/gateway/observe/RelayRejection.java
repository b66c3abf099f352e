package dev.penstock.gateway.observe;

import java.util.Locale;

/// What the peer of a relay port did that was refused.
public enum RelayRejection {
  /// Something that is no handshake of a node.
  FOREIGN,
  /// A message beyond any bound.
  TOO_LONG,
  TIMED_OUT,
  /// More connections shake hands than may at a time.
  TOO_MANY_HANDSHAKES,
  /// The connection was lost during the handshake, or no TLS came about.
  LOST,
  MALFORMED,
  WRONG_VERSION,
  WRONG_CLUSTER,
  WRONG_SECRET,
  /// The node reached itself, or another than it meant to.
  WRONG_NODE,
  TOO_MANY_LINKS,
  /// A stream that was relayed before.
  HOPS,
  BAD_STREAM,
  YAMUX_VIOLATION;

  /// The value of a metric's label.
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
