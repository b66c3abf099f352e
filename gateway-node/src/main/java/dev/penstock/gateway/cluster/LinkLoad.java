package dev.penstock.gateway.cluster;

/// The links of one cluster's agents that a node has, and how busy they are.
///
/// @param links 0 when there are none
/// @param outstanding streams on them
/// @param kubernetes the UID of the Kubernetes cluster in which the agents are; empty when they do
///   not say
public record LinkLoad(int links, int outstanding, String kubernetes) {
  /// No links.
  public static final LinkLoad NONE = new LinkLoad(0, 0);

  /// Of agents that do not say where they are.
  LinkLoad(int links, int outstanding) {
    this(links, outstanding, "");
  }

  /// The streams with their four highest binary digits only, so that few changes are worth telling:
  /// exact up to 16, within an eighth above.
  LinkLoad rounded() {
    int shift = Math.max(0, Integer.SIZE - Integer.numberOfLeadingZeros(outstanding) - 4);
    return new LinkLoad(links, outstanding >> shift << shift, kubernetes);
  }
}
