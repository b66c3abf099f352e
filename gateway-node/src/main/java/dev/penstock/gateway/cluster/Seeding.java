package dev.penstock.gateway.cluster;

import dev.penstock.config.HostPort;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// How a node finds the cluster that it is to join.
public sealed interface Seeding {
  /// For logs and `/readyz`.
  String describe();

  /// Nodes that are named.
  ///
  /// @param nodes at least one; the first forms the cluster when none of the others answers
  record Named(List<HostPort> nodes) implements Seeding {
    public Named {
      nodes = List.copyOf(nodes);
    }

    @Override
    public String describe() {
      return "the seeds " + nodes;
    }
  }

  /// All addresses of a name in DNS.
  ///
  /// @param name `_service._proto.domain` asks for SRV records, whose ports count; any other name
  ///   for addresses, whose nodes all have this one's port
  /// @param minNodes addresses without which no new cluster is formed
  record Dns(String name, int minNodes) implements Seeding {
    @Override
    public String describe() {
      return "the name " + name + " in DNS";
    }
  }

  /// The pods that a label selects.
  ///
  /// @param api the API server
  /// @param namespace null takes the service account's
  /// @param selector such as `app.kubernetes.io/name=penstock-gateway`
  /// @param account the directory with the service account's `token`, `ca.crt` and `namespace`
  /// @param minNodes pods without which no new cluster is formed
  record Kubernetes(
      URI api, @Nullable String namespace, String selector, Path account, int minNodes)
      implements Seeding {
    @Override
    public String describe() {
      return "the pods with " + selector;
    }
  }
}
