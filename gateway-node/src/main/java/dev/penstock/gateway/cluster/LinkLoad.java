package dev.penstock.gateway.cluster;

/// The links of one cluster's agents that a node has, and how busy they are.
///
/// @param links 0 when there are none
/// @param outstanding streams on them
public record LinkLoad(int links, int outstanding) {
  /// No links.
  public static final LinkLoad NONE = new LinkLoad(0, 0);

  /// The streams with their four highest binary digits only, so that few changes are worth telling:
  /// exact up to 16, within an eighth above.
  LinkLoad rounded() {
    int shift = Math.max(0, Integer.SIZE - Integer.numberOfLeadingZeros(outstanding) - 4);
    return new LinkLoad(links, outstanding >> shift << shift);
  }
}
