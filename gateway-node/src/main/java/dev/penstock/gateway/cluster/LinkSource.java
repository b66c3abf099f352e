package dev.penstock.gateway.cluster;

import java.util.Set;

/// The links of this node, as the directory asks for them. Any thread.
public interface LinkSource {
  /// Clusters with links now.
  Set<String> clusters();

  /// The links of one cluster now.
  LinkLoad load(String cluster);
}
