package dev.penstock.gateway.relay;

import dev.penstock.config.Secret;
import dev.penstock.protocol.link.LinkSettings;
import dev.penstock.protocol.net.Tls;
import java.net.InetSocketAddress;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// What the relay of one node is made of.
///
/// @param node this life of this node, as the others call it
/// @param clusterName what the nodes of one gateway have in common
/// @param secret known to the nodes of the cluster and nobody else
/// @param listen where other nodes' relay links arrive, resolved
/// @param tls how relay links are encrypted; null for not at all
/// @param link limits and timers of each relay link
/// @param limits of their number and their patience
public record RelaySettings(
    String node,
    String clusterName,
    Secret secret,
    InetSocketAddress listen,
    @Nullable MutualTls tls,
    LinkSettings link,
    Limits limits) {
  /// Both ends of TLS, each with this node's certificate.
  public record MutualTls(Tls server, Tls client) {}

  /// Bounds in number and time.
  ///
  /// @param connectTimeout from the wish for a link until it is up; clients wait for it
  /// @param handshakeTimeout how long a node that connects here may take to prove itself
  /// @param idle without a stream, after which the node that opened a link closes it
  /// @param linksPerNode that one other node may have open to this one; at least its event loops
  /// @param pendingHandshakes connections that have not proved themselves, of all nodes together
  /// @param waiting clients that may wait for one link to come up
  public record Limits(
      Duration connectTimeout,
      Duration handshakeTimeout,
      Duration idle,
      int linksPerNode,
      int pendingHandshakes,
      int waiting) {
    public static Limits defaults() {
      return new Limits(
          Duration.ofSeconds(3), Duration.ofSeconds(5), Duration.ofSeconds(60), 256, 256, 4096);
    }
  }
}
