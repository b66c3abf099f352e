package dev.penstock.gateway.cluster;

import java.util.Locale;

/// Which part of a cluster lives on when its parts no longer hear each other; the nodes of the
/// others end.
public enum SplitBrain {
  /// The part with more than half of the nodes; of two halves the one with the lowest address.
  KEEP_MAJORITY,
  /// The part with the node that has been a member for longest.
  KEEP_OLDEST,
  /// The part that takes a lease in the cluster's database first, where the one with more than half
  /// of the nodes tries first; none without the database.
  LEASE_MAJORITY;

  /// As operators write it, such as `keep-majority`.
  public String label() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
