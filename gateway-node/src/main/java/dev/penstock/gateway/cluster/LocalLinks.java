package dev.penstock.gateway.cluster;

import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;

/// The links of this node as it last told the others, cut into buckets by the clusters' names: a
/// change is told with its bucket, not with all. Pure; one owner.
final class LocalLinks {
  /// Keys that the clusters are spread over.
  static final int BUCKETS = 256;

  /// Clusters of one node in one bucket, so that a bucket of a node stays below what Artery carries
  /// in one frame; 256,000 in all. Those beyond are not told: their clients are served by this node
  /// and not through others.
  static final int MAX_PER_BUCKET = 1_000;

  private final Map<Integer, Map<String, LinkLoad>> told = new HashMap<>();
  private int untold;

  static int bucketOf(String cluster) {
    int hash = cluster.hashCode();
    return Math.floorMod(hash ^ hash >>> 16, BUCKETS);
  }

  /// Takes what is so now.
  ///
  /// @return the bucket to tell, empty when that would change nothing
  OptionalInt update(String cluster, LinkLoad now) {
    int bucket = bucketOf(cluster);
    Map<String, LinkLoad> loads = told.computeIfAbsent(bucket, _ -> new TreeMap<>());
    if (now.links() == 0) {
      return loads.remove(cluster) == null ? OptionalInt.empty() : OptionalInt.of(bucket);
    }
    if (!loads.containsKey(cluster) && loads.size() >= MAX_PER_BUCKET) {
      untold++;
      return OptionalInt.empty();
    }
    LinkLoad rounded = now.rounded();
    return rounded.equals(loads.put(cluster, rounded))
        ? OptionalInt.empty()
        : OptionalInt.of(bucket);
  }

  LinksEntry entry(int bucket) {
    return LinksEntry.of(told.getOrDefault(bucket, Map.of()));
  }

  /// How often [#update] met the bound since this was last asked.
  int takeUntold() {
    int count = untold;
    untold = 0;
    return count;
  }
}
