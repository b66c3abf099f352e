package dev.penstock.gateway.cluster;

import dev.penstock.config.HostPort;
import dev.penstock.gateway.observe.ClusterMeters;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.cluster.ClusterEvent;
import org.apache.pekko.cluster.MemberStatus;
import org.apache.pekko.cluster.UniqueAddress;
import org.apache.pekko.cluster.ddata.Key;
import org.apache.pekko.cluster.ddata.LWWMap;
import org.apache.pekko.cluster.ddata.LWWMapKey;
import org.apache.pekko.cluster.ddata.SelfUniqueAddress;
import org.apache.pekko.cluster.ddata.typed.javadsl.Replicator;
import org.apache.pekko.cluster.ddata.typed.javadsl.ReplicatorMessageAdapter;
import org.apache.pekko.cluster.ddata.typed.javadsl.ReplicatorSettings;
import org.apache.pekko.cluster.typed.Cluster;
import org.apache.pekko.cluster.typed.Subscribe;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Actor: tells the other nodes of this one and keeps [View] as they tell of themselves, in
/// Distributed Data with one writer per entry.
final class Directory extends AbstractBehavior<Directory.Command> {
  private static final Logger log = LoggerFactory.getLogger(Directory.class);

  /// How long changes of links are gathered before they are told.
  private static final Duration GATHER = Duration.ofMillis(150);

  /// How often the streams on all links are counted anew.
  private static final Duration SWEEP = Duration.ofSeconds(1);

  /// How many nodes that are gone are remembered.
  private static final int MAX_GONE = 1_000;

  private static final Duration TELL_TIMEOUT = Duration.ofSeconds(1);
  private static final Key<LWWMap<String, NodeEntry>> NODES = LWWMapKey.create("nodes");

  sealed interface Command {}

  /// This node is to be told as being in this state.
  record Announce(NodeState state) implements Command {}

  /// Told of the nodes from now on.
  record Listen(Nodes.Listener listener) implements Command {}

  private record Happened(ClusterEvent.ClusterDomainEvent event) implements Command {}

  private record NodesTold(Replicator.SubscribeResponse<LWWMap<String, NodeEntry>> response)
      implements Command {}

  private record LinksTold(
      int bucket, Replicator.SubscribeResponse<LWWMap<String, LinksEntry>> response)
      implements Command {}

  private record SelfWritten(Replicator.UpdateResponse<LWWMap<String, NodeEntry>> response)
      implements Command {}

  private record LinksWritten(Replicator.UpdateResponse<LWWMap<String, LinksEntry>> response)
      implements Command {}

  private record Gathered() implements Command {}

  private record Sweep() implements Command {}

  /// @param self this node at its start
  /// @param links of this node
  /// @param up completed when the node is a full member
  record Setup(
      NodeInfo self,
      LinkSource links,
      View view,
      CompletableFuture<Void> up,
      ClusterMeters meters) {}

  /// The nodes, for any thread.
  static final class View implements Nodes {
    private final NodeId id;
    private final Set<String> dirty = ConcurrentHashMap.newKeySet();
    private final AtomicReferenceArray<Map<String, List<LinkedNode>>> linked =
        new AtomicReferenceArray<>(LocalLinks.BUCKETS);
    private final CompletableFuture<ActorRef<Command>> directory = new CompletableFuture<>();
    private final Set<Listener> listeners = ConcurrentHashMap.newKeySet();
    private volatile NodeInfo self;
    private volatile List<NodeInfo> all;

    View(NodeInfo self) {
      this.id = self.id();
      this.self = self;
      this.all = List.of(self);
    }

    void of(ActorRef<Command> actor) {
      directory.complete(actor);
    }

    /// The links of `cluster` are not what they were; any thread.
    void linksChanged(String cluster) {
      dirty.add(cluster);
    }

    @Override
    public NodeInfo self() {
      return self;
    }

    @Override
    public List<NodeInfo> all() {
      return all;
    }

    @Override
    public List<NodeInfo> ready() {
      return all.stream().filter(node -> node.state() == NodeState.READY).toList();
    }

    @Override
    public Optional<NodeInfo> find(NodeId node) {
      return all.stream().filter(it -> it.id().equals(node)).findFirst();
    }

    @Override
    public List<LinkedNode> withLinks(String cluster) {
      Map<String, List<LinkedNode>> bucket = linked.get(LocalLinks.bucketOf(cluster));
      return bucket == null ? List.of() : bucket.getOrDefault(cluster, List.of());
    }

    @Override
    public Subscription subscribe(Listener listener) {
      listeners.add(listener);
      directory.thenAccept(actor -> actor.tell(new Listen(listener)));
      return () -> listeners.remove(listener);
    }

    private void publish(List<NodeInfo> nodes) {
      boolean changed = !nodes.equals(all);
      all = nodes;
      nodes.stream().filter(node -> node.id().equals(id)).forEach(node -> self = node);
      if (changed) {
        listeners.forEach(listener -> tell(listener, nodes));
      }
    }

    private void tell(Listener listener, List<NodeInfo> nodes) {
      if (!listeners.contains(listener)) {
        return;
      }
      try {
        listener.changed(nodes);
      } catch (RuntimeException e) {
        log.atError().setCause(e).log("A listener of the nodes failed");
      }
    }
  }

  private final Setup setup;
  private final Roster roster;
  private final LocalLinks local = new LocalLinks();
  private final SelfUniqueAddress writer;
  private final ReplicatorMessageAdapter<Command, LWWMap<String, NodeEntry>> nodesData;
  private final ReplicatorMessageAdapter<Command, LWWMap<String, LinksEntry>> linksData;
  private final List<Key<LWWMap<String, LinksEntry>>> linksKeys = new ArrayList<>();
  private NodeInfo self;

  /// Nodes that were removed while this one watched, the latest last. Not all that are no members:
  /// a node that joins may tell of itself before this one has heard that it joins.
  private final LinkedHashSet<NodeId> gone = new LinkedHashSet<>();

  private boolean leads;

  static Behavior<Command> create(Setup setup) {
    return Behaviors.setup(
        context -> Behaviors.withTimers(timers -> new Directory(context, timers, setup)));
  }

  private Directory(ActorContext<Command> context, TimerScheduler<Command> timers, Setup setup) {
    super(context);
    this.setup = setup;
    this.self = setup.self();
    this.roster = new Roster(self.id());
    var cluster = Cluster.get(context.getSystem());
    writer = new SelfUniqueAddress(cluster.selfMember().uniqueAddress());
    var settings =
        ReplicatorSettings.create(
            context.getSystem().settings().config().getConfig("penstock.cluster.directory"));
    ActorRef<Replicator.Command> replicator =
        context.spawn(Replicator.behavior(settings), "replicator");
    nodesData = new ReplicatorMessageAdapter<>(context, replicator, TELL_TIMEOUT);
    linksData = new ReplicatorMessageAdapter<>(context, replicator, TELL_TIMEOUT);
    nodesData.subscribe(NODES, NodesTold::new);
    for (int i = 0; i < LocalLinks.BUCKETS; i++) {
      int bucket = i;
      Key<LWWMap<String, LinksEntry>> key = LWWMapKey.create("links-" + bucket);
      linksKeys.add(key);
      linksData.subscribe(key, response -> new LinksTold(bucket, response));
    }
    ActorRef<ClusterEvent.ClusterDomainEvent> events =
        context.messageAdapter(ClusterEvent.ClusterDomainEvent.class, Happened::new);
    for (Class<? extends ClusterEvent.ClusterDomainEvent> kind :
        List.of(
            ClusterEvent.MemberEvent.class,
            ClusterEvent.ReachabilityEvent.class,
            ClusterEvent.LeaderChanged.class)) {
      cluster.subscriptions().tell(new Subscribe<>(events.unsafeUpcast(), kind));
    }
    timers.startTimerWithFixedDelay("gather", new Gathered(), GATHER);
    timers.startTimerWithFixedDelay("sweep", new Sweep(), SWEEP);
    setup.view().of(context.getSelf());
    tellOfSelf();
  }

  @Override
  public Receive<Command> createReceive() {
    return newReceiveBuilder()
        .onMessage(Announce.class, this::onAnnounce)
        .onMessage(Listen.class, this::onListen)
        .onMessage(Happened.class, this::onHappened)
        .onMessage(NodesTold.class, this::onNodesTold)
        .onMessage(LinksTold.class, this::onLinksTold)
        .onMessage(SelfWritten.class, this::onSelfWritten)
        .onMessage(LinksWritten.class, _ -> this)
        .onMessage(Gathered.class, this::onGathered)
        .onMessage(Sweep.class, this::onSweep)
        .build();
  }

  private Behavior<Command> onAnnounce(Announce announce) {
    if (announce.state() != self.state()) {
      self =
          new NodeInfo(self.id(), self.relay(), self.linksUrl(), announce.state(), self.version());
      tellOfSelf();
    }
    return this;
  }

  private Behavior<Command> onListen(Listen listen) {
    setup.view().tell(listen.listener(), setup.view().all());
    return this;
  }

  private Behavior<Command> onHappened(Happened happened) {
    switch (happened.event()) {
      case ClusterEvent.MemberRemoved removed -> {
        NodeId node = idOf(removed.member().uniqueAddress());
        roster.left(node);
        gone.add(node);
        if (gone.size() > MAX_GONE) {
          gone.removeFirst();
        }
        log.atInfo().addKeyValue("node", node).log("A node is gone from the cluster");
        forget();
      }
      case ClusterEvent.MemberDowned downed -> {
        NodeId node = idOf(downed.member().uniqueAddress());
        roster.unreachable(node);
        log.atWarn().addKeyValue("node", node).log("A node was given up by the cluster");
      }
      case ClusterEvent.MemberEvent event -> {
        NodeId node = idOf(event.member().uniqueAddress());
        roster.joined(node);
        if (event.member().status().equals(MemberStatus.up()) && node.equals(self.id())) {
          setup.up().complete(null);
        }
      }
      case ClusterEvent.UnreachableMember event -> {
        NodeId node = idOf(event.member().uniqueAddress());
        roster.unreachable(node);
        setup.meters().becameUnreachable();
        log.atWarn().addKeyValue("node", node).log("A node is not heard from");
      }
      case ClusterEvent.ReachableMember event -> {
        NodeId node = idOf(event.member().uniqueAddress());
        roster.reachable(node);
        log.atInfo().addKeyValue("node", node).log("A node is heard from again");
      }
      case ClusterEvent.LeaderChanged changed -> {
        leads =
            changed.getLeader() != null
                && hostPort(changed.getLeader()).equals(self.id().address());
        forget();
      }
      default -> {
        return this;
      }
    }
    publishAll();
    return this;
  }

  private Behavior<Command> onNodesTold(NodesTold told) {
    if (told.response() instanceof Replicator.Changed<LWWMap<String, NodeEntry>> changed) {
      var nodes = new ArrayList<NodeInfo>();
      changed
          .dataValue()
          .getEntries()
          .values()
          .forEach(entry -> entry.info().ifPresent(nodes::add));
      roster.told(nodes);
      publishAll();
    }
    return this;
  }

  private Behavior<Command> onLinksTold(LinksTold told) {
    if (told.response() instanceof Replicator.Changed<LWWMap<String, LinksEntry>> changed) {
      var entries = new HashMap<NodeId, LinksEntry>();
      changed
          .dataValue()
          .getEntries()
          .forEach((node, entry) -> NodeId.parse(node).ifPresent(id -> entries.put(id, entry)));
      roster.links(told.bucket(), entries);
      setup.view().linked.set(told.bucket(), roster.linked(told.bucket(), roster.nodes()));
    }
    return this;
  }

  private Behavior<Command> onSelfWritten(SelfWritten written) {
    // Told to all at once where that works; what did not arrive in time arrives by gossip.
    if (!(written.response() instanceof Replicator.UpdateSuccess)) {
      log.atDebug().addKeyValue("state", self.state()).log("Some nodes are told of this one later");
    }
    return this;
  }

  private Behavior<Command> onGathered(Gathered tick) {
    var buckets = new TreeSet<Integer>();
    for (var dirty = setup.view().dirty.iterator(); dirty.hasNext(); ) {
      String cluster = dirty.next();
      // Before the load is read: a change after this is told the next time.
      dirty.remove();
      local.update(cluster, setup.links().load(cluster)).ifPresent(buckets::add);
    }
    tellOfLinks(buckets);
    return this;
  }

  private Behavior<Command> onSweep(Sweep tick) {
    local.takeUntold();
    var buckets = new TreeSet<Integer>();
    for (String cluster : setup.links().clusters()) {
      local.update(cluster, setup.links().load(cluster)).ifPresent(buckets::add);
    }
    setup.meters().untold(local.takeUntold());
    tellOfLinks(buckets);
    return this;
  }

  private void tellOfSelf() {
    NodeEntry entry = NodeEntry.of(self);
    String id = self.id().toString();
    nodesData.askUpdate(
        replyTo ->
            new Replicator.Update<>(
                NODES,
                LWWMap.create(),
                new Replicator.WriteAll(TELL_TIMEOUT),
                replyTo,
                map -> map.put(writer, id, entry)),
        SelfWritten::new);
  }

  private void tellOfLinks(Set<Integer> buckets) {
    String id = self.id().toString();
    for (int bucket : buckets) {
      LinksEntry entry = local.entry(bucket);
      linksData.askUpdate(
          replyTo ->
              new Replicator.Update<>(
                  linksKeys.get(bucket),
                  LWWMap.create(),
                  Replicator.writeLocal(),
                  replyTo,
                  map -> map.put(writer, id, entry)),
          LinksWritten::new);
    }
  }

  /// The leader removes what nodes told that are gone.
  private void forget() {
    if (!leads) {
      return;
    }
    nodesData.askUpdate(
        replyTo ->
            new Replicator.Update<>(
                NODES, LWWMap.create(), Replicator.writeLocal(), replyTo, map -> withoutGone(map)),
        SelfWritten::new);
    for (int bucket : roster.buckets()) {
      linksData.askUpdate(
          replyTo ->
              new Replicator.Update<>(
                  linksKeys.get(bucket),
                  LWWMap.create(),
                  Replicator.writeLocal(),
                  replyTo,
                  map -> withoutGone(map)),
          LinksWritten::new);
    }
  }

  private <T> LWWMap<String, T> withoutGone(LWWMap<String, T> map) {
    LWWMap<String, T> rest = map;
    for (String node : map.getEntries().keySet()) {
      if (NodeId.parse(node).filter(gone::contains).isPresent()) {
        rest = rest.remove(writer, node);
      }
    }
    return rest;
  }

  private void publishAll() {
    View view = setup.view();
    List<NodeInfo> nodes = roster.nodes();
    // The links first: who hears of a node that is ready finds its links.
    for (int bucket : roster.buckets()) {
      view.linked.set(bucket, roster.linked(bucket, nodes));
    }
    view.publish(nodes);
  }

  static NodeId idOf(UniqueAddress address) {
    return new NodeId(hostPort(address.address()), address.longUid());
  }

  private static HostPort hostPort(Address address) {
    return new HostPort(
        address.getHost().orElse("localhost").replaceAll("[\\[\\]]", ""),
        address.getPort().orElse(0));
  }
}
