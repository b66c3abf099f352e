package dev.penstock.gateway.observe;

import java.util.Locale;

/// What the peer of a node's port for control messages did that was refused.
public enum ControlRejection {
  /// Something that no node begins with.
  FOREIGN,
  /// A message beyond any bound.
  TOO_LONG,
  /// It did not show in time that it is a node.
  TIMED_OUT,
  /// More connections than may be there at a time, or than may have to show that they are nodes.
  TOO_MANY,
  /// No TLS came about, mostly for want of a certificate of the cluster's authority.
  NOT_AUTHENTICATED;

  /// The value of a metric's label.
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
