package dev.penstock.gateway.cluster;

import java.util.Comparator;

/// When a cluster was formed, by which two clusters on one database are told apart. Earlier ones
/// are less.
///
/// @param number rises with every cluster that is formed, from 1; 0 when it is not known
/// @param founder the node that formed it, as [NodeId#toString] writes it; two that found at the
///   same time have one number
public record Founding(long number, String founder) implements Comparable<Founding> {
  /// Of a node that has not heard yet, or of a release that writes none.
  public static final Founding UNKNOWN = new Founding(0, "");

  private static final Comparator<Founding> ORDER =
      Comparator.comparingLong(Founding::number).thenComparing(Founding::founder);

  boolean isKnown() {
    return number > 0;
  }

  @Override
  public int compareTo(Founding other) {
    return ORDER.compare(this, other);
  }
}
