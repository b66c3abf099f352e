package dev.penstock.management.access;

/// What a caller of the management port may do.
public enum Role {
  /// See everything.
  READ,
  /// See everything and act.
  OPERATE
}
