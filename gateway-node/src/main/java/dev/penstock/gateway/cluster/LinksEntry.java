package dev.penstock.gateway.cluster;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/// What a node tells of its links to the agents of some clusters: lists of one length, because that
/// is half the bytes of a list of records.
///
/// @param kubernetes UIDs of Kubernetes clusters, empty where agents do not say; null from a node
///   of an older release
record LinksEntry(
    List<String> clusters,
    List<Integer> links,
    List<Integer> outstanding,
    @Nullable List<String> kubernetes)
    implements ClusterMessage {
  static LinksEntry of(Map<String, LinkLoad> loads) {
    var clusters = new ArrayList<String>(loads.size());
    var links = new ArrayList<Integer>(loads.size());
    var outstanding = new ArrayList<Integer>(loads.size());
    var kubernetes = new ArrayList<String>(loads.size());
    loads.forEach((cluster, load) -> {
      clusters.add(cluster);
      links.add(load.links());
      outstanding.add(load.outstanding());
      kubernetes.add(load.kubernetes());
    });
    return new LinksEntry(clusters, links, outstanding, kubernetes);
  }

  /// Gives out what can be used of it.
  void forEach(BiConsumer<String, LinkLoad> told) {
    if (clusters == null || links == null || outstanding == null) {
      return;
    }
    int size = Math.min(clusters.size(), Math.min(links.size(), outstanding.size()));
    for (int i = 0; i < size; i++) {
      if (links.get(i) > 0) {
        String uid = kubernetes != null && i < kubernetes.size() ? kubernetes.get(i) : "";
        told.accept(
            clusters.get(i), new LinkLoad(links.get(i), Math.max(0, outstanding.get(i)), uid));
      }
    }
  }
}
