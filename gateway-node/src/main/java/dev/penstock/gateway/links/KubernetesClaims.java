package dev.penstock.gateway.links;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;

/// In which Kubernetes cluster the agents of each cluster are, by the sockets that are open at this
/// node and by what the other nodes tell of their links. Two that share the name of one would be
/// sent each other's clients and end each other's tunnels, so that the name belongs to the first
/// until its last socket is closed. Of two that came at once, to nodes that had not heard of each
/// other's yet, the smaller UID keeps it. Agents that do not say where they are, original ones
/// among them, claim nothing. Safe for use by several threads.
public final class KubernetesClaims {
  private volatile Function<String, Stream<String>> elsewhere = _ -> Stream.empty();

  /// By cluster: sockets by UID, the first holder first.
  private final Map<String, LinkedHashMap<String, Integer>> sockets = new HashMap<>();

  /// Why an agent of `cluster` in the Kubernetes cluster `uid` is refused; empty when it is not.
  public Optional<String> against(String cluster, String uid) {
    return Stream.concat(holder(cluster).stream(), elsewhere.apply(cluster))
        .min(String::compareTo)
        .filter(holder -> !holder.equals(uid))
        .map(holder ->
            "kubernetes: "
                + uid
                + ", while agents of another Kubernetes cluster, "
                + holder
                + ", are linked as cluster "
                + cluster
                + " (expected: a token of its own for each Kubernetes cluster)");
  }

  /// The UID of the Kubernetes cluster that has the name `cluster` at this node.
  public synchronized Optional<String> holder(String cluster) {
    return Optional.ofNullable(sockets.get(cluster)).map(open -> open.keySet().iterator().next());
  }

  /// Has other nodes asked, too.
  ///
  /// @param others the holders of a cluster's name at other nodes; answers at once, on any thread
  public void alsoAsk(Function<String, Stream<String>> others) {
    elsewhere = others;
  }

  synchronized void opened(String cluster, String uid) {
    sockets.computeIfAbsent(cluster, _ -> new LinkedHashMap<>()).merge(uid, 1, Integer::sum);
  }

  synchronized void closed(String cluster, String uid) {
    sockets.computeIfPresent(
        cluster,
        (_, open) -> {
          open.computeIfPresent(uid, (_, count) -> count == 1 ? null : count - 1);
          return open.isEmpty() ? null : open;
        });
  }
}
