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
import java.util.function.Function;
import org.apache.pekko.actor.Address;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.SupervisorStrategy;
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
  private static final Key<LWWMap<String, ClusterMessage>> NODES = LWWMapKey.create("nodes");

  sealed interface Command {}

  /// This node is to be told as being in this state.
  record Announce(NodeState state) implements Command {}

  /// Told of the nodes from now on.
  record Listen(Nodes.Listener listener) implements Command {}

  private record Happened(ClusterEvent.ClusterDomainEvent event) implements Command {}

  private record Told(Replicator.SubscribeResponse<LWWMap<String, ClusterMessage>> response)
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

  private final List<Key<LWWMap<String, ClusterMessage>>> linksKeys = new ArrayList<>();
  private final Map<String, Integer> buckets = new HashMap<>();
  private final ActorRef<Replicator.Command> replicator;
  private NodeInfo self;

  /// Nodes that were removed while this one watched, the latest last. Not all that are no members:
  /// a node that joins may tell of itself before this one has heard that it joins.
  private final LinkedHashSet<NodeId> gone = new LinkedHashSet<>();

  private boolean leads;

  static Behavior<Command> create(Setup setup) {
    return Behaviors.<Command>supervise(
            Behaviors.setup(
                context -> Behaviors.withTimers(timers -> new Directory(context, timers, setup))))
        .onFailure(SupervisorStrategy.resume());
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
    replicator = context.spawn(Replicator.behavior(settings), "replicator");
    // One adapter for all keys: an actor has one per class of message.
    ActorRef<Replicator.SubscribeResponse<LWWMap<String, ClusterMessage>>> told =
        context.messageAdapter(erased(Replicator.SubscribeResponse.class), Told::new);
    replicator.tell(new Replicator.Subscribe<>(NODES, told));
    for (int bucket = 0; bucket < LocalLinks.BUCKETS; bucket++) {
      Key<LWWMap<String, ClusterMessage>> key = LWWMapKey.create("links-" + bucket);
      linksKeys.add(key);
      buckets.put(key.id(), bucket);
      replicator.tell(new Replicator.Subscribe<>(key, told));
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
        .onMessage(Told.class, this::onTold)
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

  private Behavior<Command> onTold(Told told) {
    if (told.response() instanceof Replicator.Changed<LWWMap<String, ClusterMessage>> changed) {
      Map<String, ClusterMessage> entries = changed.dataValue().getEntries();
      Integer bucket = buckets.get(changed.key().id());
      if (bucket == null) {
        nodesTold(entries);
      } else {
        linksTold(bucket, entries);
      }
    }
    return this;
  }

  private void nodesTold(Map<String, ClusterMessage> entries) {
    var nodes = new ArrayList<NodeInfo>();
    for (ClusterMessage entry : entries.values()) {
      if (entry instanceof NodeEntry node) {
        node.info().ifPresent(nodes::add);
      }
    }
    roster.told(nodes);
    publishAll();
    if (!nodes.contains(self)) {
      tellOfSelf();
    }
  }

  private void linksTold(int bucket, Map<String, ClusterMessage> entries) {
    var links = new HashMap<NodeId, LinksEntry>();
    entries.forEach((node, entry) -> {
      if (entry instanceof LinksEntry told) {
        NodeId.parse(node).ifPresent(id -> links.put(id, told));
      }
    });
    roster.links(bucket, links);
    setup.view().linked.set(bucket, roster.linked(bucket, roster.nodes()));
  }

  private Behavior<Command> onGathered(Gathered tick) {
    var changed = new TreeSet<Integer>();
    for (var dirty = setup.view().dirty.iterator(); dirty.hasNext(); ) {
      String cluster = dirty.next();
      // Before the load is read: a change after this is told the next time.
      dirty.remove();
      local.update(cluster, setup.links().load(cluster)).ifPresent(changed::add);
    }
    tellOfLinks(changed);
    return this;
  }

  private Behavior<Command> onSweep(Sweep tick) {
    local.takeUntold();
    var changed = new TreeSet<Integer>();
    for (String cluster : setup.links().clusters()) {
      local.update(cluster, setup.links().load(cluster)).ifPresent(changed::add);
    }
    setup.meters().untold(local.takeUntold());
    tellOfLinks(changed);
    return this;
  }

  private void tellOfSelf() {
    NodeEntry entry = NodeEntry.of(self);
    String id = self.id().toString();
    update(NODES, new Replicator.WriteAll(TELL_TIMEOUT), map -> map.put(writer, id, entry));
  }

  private void tellOfLinks(Set<Integer> buckets) {
    String id = self.id().toString();
    for (int bucket : buckets) {
      LinksEntry entry = local.entry(bucket);
      update(linksKeys.get(bucket), Replicator.writeLocal(), map -> map.put(writer, id, entry));
    }
  }

  /// The leader removes what nodes told that are gone.
  private void forget() {
    if (leads && !gone.isEmpty()) {
      update(NODES, Replicator.writeLocal(), this::withoutGone);
      for (int bucket : roster.buckets()) {
        update(linksKeys.get(bucket), Replicator.writeLocal(), this::withoutGone);
      }
    }
  }

  /// Nobody waits for the answer: a write here succeeds, and what did not arrive at all the others
  /// at once arrives by gossip.
  private void update(
      Key<LWWMap<String, ClusterMessage>> key,
      Replicator.WriteConsistency where,
      Function<LWWMap<String, ClusterMessage>, LWWMap<String, ClusterMessage>> change) {
    replicator.tell(
        new Replicator.Update<>(
            key,
            LWWMap.create(),
            where,
            getContext()
                .getSystem()
                .<Replicator.UpdateResponse<LWWMap<String, ClusterMessage>>>ignoreRef(),
            change));
  }

  private LWWMap<String, ClusterMessage> withoutGone(LWWMap<String, ClusterMessage> map) {
    LWWMap<String, ClusterMessage> rest = map;
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

  /// The class of a generic message, which has none of its own.
  @SuppressWarnings("unchecked")
  private static <T> Class<T> erased(Class<?> type) {
    return (Class<T>) type;
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
