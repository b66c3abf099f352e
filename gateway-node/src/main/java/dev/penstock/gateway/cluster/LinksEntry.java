package dev.penstock.gateway.cluster;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;

/// What a node tells of its links to the agents of some clusters: three lists of one length,
/// because that is half the bytes of a list of records.
record LinksEntry(List<String> clusters, List<Integer> links, List<Integer> outstanding)
    implements ClusterMessage {
  static LinksEntry of(Map<String, LinkLoad> loads) {
    var clusters = new ArrayList<String>(loads.size());
    var links = new ArrayList<Integer>(loads.size());
    var outstanding = new ArrayList<Integer>(loads.size());
    loads.forEach((cluster, load) -> {
      clusters.add(cluster);
      links.add(load.links());
      outstanding.add(load.outstanding());
    });
    return new LinksEntry(clusters, links, outstanding);
  }

  /// Gives out what can be used of it.
  void forEach(BiConsumer<String, LinkLoad> told) {
    if (clusters == null || links == null || outstanding == null) {
      return;
    }
    int size = Math.min(clusters.size(), Math.min(links.size(), outstanding.size()));
    for (int i = 0; i < size; i++) {
      if (links.get(i) > 0) {
        told.accept(clusters.get(i), new LinkLoad(links.get(i), Math.max(0, outstanding.get(i))));
      }
    }
  }
}
