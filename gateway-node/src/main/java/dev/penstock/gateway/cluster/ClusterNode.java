package dev.penstock.gateway.cluster;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.typesafe.config.Config;
import dev.penstock.config.HostPort;
import dev.penstock.gateway.observe.ClusterMeters;
import dev.penstock.gateway.sources.Bans;
import dev.penstock.protocol.net.EventLoops;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.net.BindException;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.stream.Collectors;
import org.apache.pekko.Done;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.CoordinatedShutdown;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.cluster.ClusterEvent;
import org.apache.pekko.cluster.Member;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.JoinSeedNodes;
import org.apache.pekko.remote.artery.tcp.ssl.RotatingKeysSSLEngineProvider;
import org.jspecify.annotations.Nullable;

/// This node as one of a cluster: it looks for the cluster and joins it, keeps the directory of
/// nodes, and leaves when its actor system ends. Safe for use by several threads.
public final class ClusterNode implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final ActorSystem<?> system;
  private final ClusterSettings settings;
  private final Cluster cluster;
  private final Directory.View view;
  private final ActorRef<Directory.Command> directory;
  private final CompletableFuture<Void> up;
  private final @Nullable Seeker seeker;
  private final PulseKeeper pulse;

  private ClusterNode(
      ActorSystem<?> system,
      ClusterSettings settings,
      Directory.View view,
      ActorRef<Directory.Command> directory,
      CompletableFuture<Void> up,
      @Nullable Seeker seeker,
      PulseKeeper pulse) {
    this.system = system;
    this.settings = settings;
    this.cluster = Cluster.get(system);
    this.view = view;
    this.directory = directory;
    this.up = up;
    this.seeker = seeker;
    this.pulse = pulse;
  }

  /// What the actor system of a node of a cluster is started with.
  public static Config config(ClusterSettings settings) {
    return ClusterConfig.of(settings);
  }

  /// Begins to look for the cluster and to join it; [#up] tells when that is done.
  ///
  /// @param system started with [#config]
  /// @param loops of the same process
  /// @param linksUrl what agents are told to link to; null when it follows from their requests
  /// @param links of this node
  /// @param pulses in the database of this cluster; this node's from now on
  /// @throws BindException `cluster.bind` cannot be bound
  /// @throws IOException the certificate cannot be used
  public static ClusterNode start(
      ActorSystem<?> system,
      EventLoops loops,
      ClusterSettings settings,
      @Nullable URI linksUrl,
      LinkSource links,
      PulseStore pulses,
      PrometheusRegistry registry)
      throws IOException {
    if (settings.tls() != null) {
      requireUsableCertificate(system, settings.listen());
    }
    var cluster = Cluster.get(system);
    var self =
        new NodeInfo(
            Directory.idOf(cluster.selfMember().uniqueAddress()),
            settings.relay(),
            linksUrl,
            NodeState.STARTING,
            BuildVersion.text());
    var view = new Directory.View(self);
    var meters = new ClusterMeters(registry, () -> count(view));
    ControlPort.listen(system, loops, settings.bind().resolve(), meters);
    var up = new CompletableFuture<Void>();
    ActorRef<Directory.Command> directory =
        system.systemActorOf(
            Directory.create(new Directory.Setup(self, links, view, up, meters)),
            "directory",
            Props.empty());
    system.systemActorOf(RefusalWatch.create(meters), "refusals", Props.empty());
    Seeker seeker = seek(system, settings);
    PulseKeeper pulse =
        new PulseKeeper(
                new PulseKeeper.Setup(
                    self.id(),
                    pulses,
                    () -> membership(cluster, up),
                    may -> mayFound(may, system, settings, seeker),
                    rivals -> CoordinatedShutdown.get(system).runAll(new Outnumbered(rivals))))
            .start();
    CoordinatedShutdown.get(system)
        .addTask(
            CoordinatedShutdown.PhaseBeforeActorSystemTerminate(),
            "pulse",
            () -> pulse.end().thenApply(_ -> Done.done()));
    var node = new ClusterNode(system, settings, view, directory, up, seeker, pulse);
    system
        .getWhenTerminated()
        .whenComplete((_, _) -> up.completeExceptionally(new IOException(node.whyEnded())));
    up.whenComplete((_, _) -> {
      pulse.joined();
      if (seeker != null) {
        seeker.close();
      }
    });
    return node;
  }

  /// Completes when this node is a full member; fails with an [IOException] when it was refused.
  /// While no node of the cluster answers, it does neither.
  public CompletionStage<Void> up() {
    return up.minimalCompletionStage();
  }

  /// Completes, with the reason in words, when the cluster gave this node up or it was refused: its
  /// actor system has ended, and the process must.
  public CompletionStage<String> ended() {
    return system.getWhenTerminated().thenApply(_ -> whyEnded());
  }

  /// Whether the cluster has refused this node for what its settings say, which no other start will
  /// change.
  public boolean isRefused() {
    return CoordinatedShutdown.get(system)
        .getShutdownReason()
        .filter(CoordinatedShutdown.IncompatibleConfigurationDetectedReason$.class::isInstance)
        .isPresent();
  }

  /// The nodes of the cluster.
  public Nodes nodes() {
    return view;
  }

  /// Tells the other nodes what this one may be used for.
  public void announce(NodeState state) {
    directory.tell(new Directory.Announce(state));
  }

  /// Makes the bans of all nodes the same. Once.
  public void share(Bans bans) {
    system.systemActorOf(SharedBans.create(bans), "bans", Props.empty());
  }

  /// The links of one cluster's agents are not what they were.
  public void linksChanged(String agents) {
    view.linksChanged(agents);
  }

  /// Why this node cannot be a ready one, for `/readyz`; empty when it can.
  public List<String> notReadyBecause() {
    if (!up.isDone()) {
      return List.of(
          "joining the cluster "
              + settings.name()
              + " through "
              + settings.seeding().describe()
              + (seeker == null ? "" : ", " + seeker.state())
              + (pulse.state().isEmpty() ? "" : "; " + pulse.state()));
    }
    if (up.isCompletedExceptionally() || cluster.isTerminated()) {
      return List.of(whyEnded());
    }
    return List.of();
  }

  /// The cluster as this node sees it, as JSON.
  public String status() {
    ClusterEvent.CurrentClusterState state = cluster.state();
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("name", settings.name());
    json.put("self", view.self().id().toString());
    json.put("leader", state.getLeader() == null ? null : display(state.getLeader()));
    ArrayNode members = json.putArray("members");
    for (Member member : state.getMembers()) {
      members
          .addObject()
          .put("node", Directory.idOf(member.uniqueAddress()).toString())
          .put("status", member.status().toString().toLowerCase(Locale.ROOT))
          .put("reachable", !state.getUnreachable().contains(member))
          .put("app_version", member.appVersion().version());
    }
    ArrayNode nodes = json.putArray("nodes");
    for (NodeInfo node : view.all()) {
      nodes
          .addObject()
          .put("node", node.id().toString())
          .put("state", node.state().name().toLowerCase(Locale.ROOT))
          .put("relay", node.relay().toString())
          .put("links_url", node.linksUrl() == null ? null : node.linksUrl().toString())
          .put("version", node.version());
    }
    ArrayNode reasons = json.putArray("not_ready_because");
    notReadyBecause().forEach(reasons::add);
    try {
      return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(json);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a tree is always written", e);
    }
  }

  /// Stops looking for the cluster. The node leaves it when its actor system ends.
  @Override
  public void close() {
    if (seeker != null) {
      seeker.close();
    }
  }

  private String whyEnded() {
    return CoordinatedShutdown.get(system)
        .getShutdownReason()
        .map(reason -> {
          if (isRefused()) {
            return "the cluster refused this node: it has another cluster.name or"
                + " cluster.secret, or speaks no version that this one speaks; the log of the"
                + " node that was asked says which";
          }
          if (reason instanceof Outnumbered(var rivals)) {
            return "this node's cluster and another one were on the same database, and the other"
                + " one, at "
                + rivals
                + ", has more nodes or is older: start this node again, it joins that one as soon"
                + " as it reaches it";
          }
          return reason instanceof CoordinatedShutdown.ClusterDowningReason$
              ? "the cluster gave this node up because it did not hear from it"
              : "the node left the cluster";
        })
        .orElse("the node left the cluster");
  }

  /// Another cluster is to live on.
  private record Outnumbered(List<HostPort> rivals) implements CoordinatedShutdown.Reason {
    private Outnumbered {
      rivals = List.copyOf(rivals);
    }
  }

  private static Map<String, Integer> count(Directory.View view) {
    var counts = new TreeMap<String, Integer>();
    for (NodeState state : NodeState.values()) {
      counts.put(state.name().toLowerCase(Locale.ROOT), 0);
    }
    view.all()
        .forEach(
            node -> counts.merge(node.state().name().toLowerCase(Locale.ROOT), 1, Integer::sum));
    return counts;
  }

  private static @Nullable Seeker seek(ActorSystem<?> system, ClusterSettings settings) {
    return switch (settings.seeding()) {
      case Seeding.Named named -> {
        join(system, asked(named, settings, false));
        yield null;
      }
      case Seeding.Dns dns ->
          new Seeker(
                  new DnsLookup(dns.name(), settings.listen().port(), ""),
                  settings.listen(),
                  dns.minNodes(),
                  seeds -> join(system, seeds))
              .start();
      case Seeding.Kubernetes pods ->
          new Seeker(
                  new KubernetesLookup(pods, settings.listen().port()),
                  settings.listen(),
                  pods.minNodes(),
                  seeds -> join(system, seeds))
              .start();
    };
  }

  /// The first of the seeds forms a cluster when nobody answers, so it is none as long as it may
  /// not.
  private static List<HostPort> asked(
      Seeding.Named named, ClusterSettings settings, boolean mayFound) {
    return mayFound
        ? named.nodes()
        : named.nodes().stream().filter(it -> !it.equals(settings.listen())).toList();
  }

  private static void mayFound(
      boolean may, ActorSystem<?> system, ClusterSettings settings, @Nullable Seeker seeker) {
    if (seeker != null) {
      seeker.mayFound(may);
    } else if (settings.seeding() instanceof Seeding.Named named
        && named.nodes().getFirst().equals(settings.listen())) {
      join(system, asked(named, settings, may));
    }
  }

  private static Optional<PulseKeeper.Membership> membership(
      Cluster cluster, CompletableFuture<Void> up) {
    if (!up.isDone() || up.isCompletedExceptionally()) {
      return Optional.empty();
    }
    List<Member> members = new ArrayList<>();
    cluster.state().getMembers().forEach(members::add);
    Set<NodeId> ids =
        members.stream()
            .map(it -> Directory.idOf(it.uniqueAddress()))
            .collect(Collectors.toUnmodifiableSet());
    Member self = cluster.selfMember();
    return Optional.of(
        new PulseKeeper.Membership(ids, members.stream().noneMatch(it -> it.isOlderThan(self))));
  }

  private static void join(ActorSystem<?> system, List<HostPort> seeds) {
    if (seeds.isEmpty()) {
      return;
    }
    List<Address> addresses =
        seeds.stream()
            .map(seed -> new Address("pekko", system.name(), seed.host(), seed.port()))
            .toList();
    Cluster.get(system).manager().tell(new JoinSeedNodes(addresses));
  }

  /// Reads the files as Pekko will, which would otherwise tell only in its log, at the first
  /// connection.
  private static void requireUsableCertificate(ActorSystem<?> system, HostPort listen)
      throws IOException {
    try {
      new RotatingKeysSSLEngineProvider(system.classicSystem())
          .createServerSSLEngine(listen.host(), listen.port());
    } catch (RuntimeException e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      throw new IOException(String.valueOf(cause.getMessage()), e);
    }
  }

  private static String display(Address address) {
    return address.hostPort().substring(address.hostPort().indexOf('@') + 1);
  }
}
