package dev.penstock.gateway;

import static java.util.Objects.requireNonNull;

import dev.penstock.config.HostPort;
import dev.penstock.gateway.cluster.ClusterNode;
import dev.penstock.gateway.cluster.ClusterSettings;
import dev.penstock.gateway.cluster.LinkLoad;
import dev.penstock.gateway.cluster.LinkSource;
import dev.penstock.gateway.cluster.LinkedNode;
import dev.penstock.gateway.cluster.NodeInfo;
import dev.penstock.gateway.cluster.NodeState;
import dev.penstock.gateway.cluster.Nodes;
import dev.penstock.gateway.leases.sharded.ShardedLeases;
import dev.penstock.gateway.links.KubernetesClaims;
import dev.penstock.gateway.links.Links;
import dev.penstock.gateway.links.NodeDirectory;
import dev.penstock.gateway.relay.RelaySettings;
import dev.penstock.gateway.relay.RemoteNodes;
import dev.penstock.node.NodeSystem;
import dev.penstock.protocol.control.GatewayNode;
import dev.penstock.protocol.link.LinkSettings;
import dev.penstock.protocol.net.Tls;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.URI;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.function.Supplier;
import org.apache.pekko.actor.Address;
import org.jspecify.annotations.Nullable;

/// What joins a gateway to its cluster: the node's membership, and what the gateway's other parts
/// are to know of the other nodes.
final class ClusterParts {
  private final GatewaySettings settings;
  private final ClusterSettings membership;
  private final ClusterNode node;

  private ClusterParts(GatewaySettings settings, ClusterSettings membership, ClusterNode node) {
    this.settings = settings;
    this.membership = membership;
    this.node = node;
  }

  /// Begins to join the cluster that the settings name; null when they name none.
  static @Nullable ClusterParts join(
      GatewaySettings settings,
      NodeSystem system,
      Links links,
      KubernetesClaims claims,
      PrometheusRegistry registry) {
    ClusterSettings membership = settings.cluster();
    if (membership == null) {
      return null;
    }
    try {
      var node =
          ClusterNode.start(
              system.actors(),
              system.loops(),
              membership,
              linksUrl(settings),
              new LinksHere(links, claims),
              ShardedLeases.pulses(settings.store()),
              registry);
      links.watch(node::linksChanged);
      claims.alsoAsk(agents ->
          node.nodes().withLinks(agents).stream()
              .map(LinkedNode::kubernetes)
              .filter(uid -> !uid.isEmpty()));
      return new ClusterParts(settings, membership, node);
    } catch (BindException e) {
      throw settings
          .origins()
          .refuseListen(
              membership.bind().equals(membership.listen()) ? "cluster.listen" : "cluster.bind",
              membership.bind(),
              e.getMessage());
    } catch (IOException e) {
      throw settings
          .origins()
          .refuse(
              "cluster.tls.key",
              requireNonNull(membership.tls()).key(),
              "an RSA key, with its certificate and the authority's: " + e.getMessage());
    }
  }

  private record LinksHere(Links links, KubernetesClaims claims) implements LinkSource {
    @Override
    public Set<String> clusters() {
      return links.clusters();
    }

    @Override
    public LinkLoad load(String agents) {
      return new LinkLoad(
          links.count(agents), links.outstanding(agents), claims.holder(agents).orElse(""));
    }
  }

  ClusterNode node() {
    return node;
  }

  /// Returns when the node is a full member. Without a limit: a node that finds no cluster keeps
  /// looking, and says so when it is asked.
  ///
  /// @throws dev.penstock.config.ConfigException the cluster refuses it
  /// @throws IOException the cluster has given it up meanwhile
  void awaitMembership() throws IOException {
    try {
      node.up().toCompletableFuture().get();
    } catch (ExecutionException e) {
      String why = String.valueOf(requireNonNull(e.getCause()).getMessage());
      if (node.isRefused()) {
        throw settings
            .origins()
            .refuse("cluster.listen", membership.listen(), "a node that its cluster takes: " + why);
      }
      // Given up while it was joining: the next start may well succeed.
      throw new IOException(why, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  /// Whether the node at an address is about to leave.
  boolean isLeaving(Address address) {
    return node.nodes().all().stream()
        .anyMatch(it ->
            it.state() == NodeState.DRAINING
                && it.id()
                    .address()
                    .equals(
                        new HostPort(address.getHost().orElse(""), address.getPort().orElse(0))));
  }

  /// The other nodes, for agents, for drains and for the relay.
  ///
  /// @param link limits and timers of each relay link
  /// @param handOver gives this node's part in the leases to others
  Gateway.Surroundings surroundings(LinkSettings link, Supplier<CompletionStage<Void>> handOver) {
    var relay =
        new RelaySettings(
            node.nodes().self().id().toString(),
            membership.name(),
            membership.secret(),
            membership.relayBind().resolve(),
            relayTls(),
            link,
            RelaySettings.Limits.defaults());
    // The node leaves when its actor system ends: as long as it drains, others may still give it
    // what it alone has links for.
    return new Gateway.Surroundings(
        new ToldToAgents(node.nodes()), handOver, new Gateway.RelayPart(relay, this::withLinks));
  }

  private List<RemoteNodes.RemoteNode> withLinks(String agents) {
    return node.nodes().withLinks(agents).stream()
        .map(it ->
            new RemoteNodes.RemoteNode(
                it.node().id().toString(), it.node().relay(), it.links(), it.outstanding()))
        .toList();
  }

  /// By their addresses: a node that was started again is the same to an agent.
  private record ToldToAgents(Nodes all) implements NodeDirectory {
    @Override
    public String self() {
      return all.self().id().address().toString();
    }

    @Override
    public List<GatewayNode> nodes() {
      return all.ready().stream().map(ToldToAgents::told).toList();
    }

    private static GatewayNode told(NodeInfo node) {
      URI url = node.linksUrl();
      return new GatewayNode(node.id().address().toString(), url == null ? "" : url.toString());
    }

    @Override
    public void subscribe(Runnable changed) {
      var _ = all.subscribe(_ -> changed.run());
    }
  }

  private RelaySettings.@Nullable MutualTls relayTls() {
    ClusterSettings.Tls files = membership.tls();
    if (files == null) {
      return null;
    }
    var pem = new Tls.Pem(files.cert(), files.key(), files.ca(), Tls.Trust.AUTHORITY);
    try {
      return new RelaySettings.MutualTls(
          Tls.load(Tls.Side.SERVER, pem), Tls.load(Tls.Side.CLIENT, pem));
    } catch (IOException e) {
      throw settings
          .origins()
          .refuse(
              "cluster.tls.cert",
              files.cert(),
              "a certificate and key that fit: " + e.getMessage());
    }
  }

  /// Where agents link to this very node; null when `gateway.listen` does not tell.
  private static @Nullable URI linksUrl(GatewaySettings settings) {
    URI told = settings.linksUrl();
    if (told != null) {
      return told;
    }
    HostPort listen = settings.listen();
    try {
      if (listen.port() == 0 || InetAddress.ofLiteral(listen.host()).isAnyLocalAddress()) {
        return null;
      }
    } catch (IllegalArgumentException _) {
      // A name, which is somebody's.
    }
    return URI.create((settings.tls() == null ? "ws://" : "wss://") + listen + "/ws");
  }
}
