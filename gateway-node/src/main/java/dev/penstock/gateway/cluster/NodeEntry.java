package dev.penstock.gateway.cluster;

import dev.penstock.config.HostPort;
import java.net.URI;
import java.util.Arrays;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// What a node tells of itself.
///
/// @param state a name of [NodeState]; one that this release does not know stands for
///   [NodeState#STARTING]
record NodeEntry(
    String address,
    long incarnation,
    String relay,
    @Nullable String linksUrl,
    String state,
    String version)
    implements ClusterMessage {
  static NodeEntry of(NodeInfo node) {
    return new NodeEntry(
        node.id().address().toString(),
        node.id().incarnation(),
        node.relay().toString(),
        node.linksUrl() == null ? null : node.linksUrl().toString(),
        node.state().name(),
        node.version());
  }

  /// Empty when it cannot be what a node tells.
  Optional<NodeInfo> info() {
    if (address == null || relay == null || state == null || version == null) {
      return Optional.empty();
    }
    try {
      Optional<HostPort> relayAddress = HostPort.parse(relay);
      URI links = linksUrl == null ? null : URI.create(linksUrl);
      return HostPort.parse(address)
          .flatMap(at ->
              relayAddress.map(
                  to -> new NodeInfo(new NodeId(at, incarnation), to, links, known(), version)));
    } catch (IllegalArgumentException _) {
      return Optional.empty();
    }
  }

  private NodeState known() {
    return Arrays.stream(NodeState.values())
        .filter(it -> it.name().equals(state))
        .findFirst()
        .orElse(NodeState.STARTING);
  }
}
