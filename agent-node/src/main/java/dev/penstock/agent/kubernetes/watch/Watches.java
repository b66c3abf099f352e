package dev.penstock.agent.kubernetes.watch;

import dev.penstock.agent.kubernetes.backends.BackendsView;
import dev.penstock.agent.kubernetes.discovery.Availability;
import dev.penstock.agent.kubernetes.discovery.ClusterView;
import dev.penstock.agent.kubernetes.objects.EndpointSlice;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.KubernetesObject;
import dev.penstock.agent.kubernetes.objects.ObjectReader;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.Service;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// All objects of a cluster that the agent looks at, kept up to date: watches for the kinds that
/// there are, in the best version that the server has of each, begun and ended as kinds come and
/// go. What changes within a moment is told at once, as a whole. Safe for use by any thread.
public final class Watches implements BackendsView, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Watches.class);

  /// What changes within it is told at once.
  private static final Duration COALESCED = Duration.ofMillis(5);

  /// After one view, before the next: a single change is told soon, and many are not told one by
  /// one.
  private static final Duration REST = Duration.ofMillis(100);

  /// Polls in a row that find a watch silent, after which another list is asked for: the client
  /// tries a watch again and again from where it was, and a server that was restored from a backup
  /// may never get there. Polls that the server does not answer do not count.
  private static final int SILENT_POLLS = 10;

  /// Kinds that every server has.
  private static final Set<Kind> BUILT_IN =
      Set.of(Kind.SERVICE, Kind.NAMESPACE, Kind.ENDPOINT_SLICE);

  /// What is watched and how.
  ///
  /// @param kinds those that are looked at
  /// @param namespaces the only ones that are looked at; empty for all
  /// @param apiPoll how often is asked which kinds there are
  public record Setup(Set<Kind> kinds, Set<String> namespaces, Duration apiPoll) {
    public Setup {
      kinds = Set.copyOf(kinds);
      namespaces = Set.copyOf(namespaces);
    }
  }

  /// What is known at one time.
  ///
  /// @param problems why kinds cannot be read, for people
  public record State(ClusterView view, List<String> problems, int watching, int watches) {
    public State {
      problems = List.copyOf(problems);
    }
  }

  private final ApiServer api;
  private final Setup setup;
  private final Consumer<State> changed;

  /// Begins and ends watches, and asks which kinds there are: the only thread that blocks.
  private final ScheduledExecutorService polling =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("kubernetes-kinds").factory());

  /// Puts views together.
  private final ScheduledExecutorService telling =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("kubernetes-view").factory());

  private final Map<Kind, Watched> watched = new ConcurrentHashMap<>();

  /// What is to take the place of what is watched, once it knows as much.
  private final Map<Kind, Watched> coming = new ConcurrentHashMap<>();

  /// By Service.
  private final Map<ObjectRef, List<EndpointSlice>> slices = new ConcurrentHashMap<>();

  /// By slice.
  private final Map<ObjectRef, ObjectRef> services = new ConcurrentHashMap<>();

  /// By kind, objects that came, changed or went so far.
  private final Map<Kind, AtomicLong> changesOf = new EnumMap<>(Kind.class);

  /// By kind, what views have; belongs to the thread that tells.
  private final Map<Kind, Listed> listed = new EnumMap<>(Kind.class);

  /// What the view that was told last was made of; belongs to the thread that tells.
  private @Nullable Known told;

  private long restsUntil = System.nanoTime();
  private boolean scheduled;
  private boolean closed;

  /// All that a view depends on: when it is the same, so is the view.
  ///
  /// @param problems why kinds cannot be read, for people
  private record Known(
      Map<Kind, Availability> kinds,
      List<String> problems,
      int watching,
      int watches,
      long changes) {}

  /// The objects of one kind at one time.
  ///
  /// @param owner whose they are
  /// @param changes of the kind before it was looked at
  private record Listed(
      Watched owner,
      long changes,
      List<KubernetesObject> objects,
      List<ObjectReader.Read.Unreadable> unreadable) {}

  /// One kind, in one of its versions.
  ///
  /// @param scopes one watch for each namespace, or one for all; none when the kind is absent
  /// @param unread why it is not watched though it is there; null when it is
  private record Watched(List<KindWatch> scopes, @Nullable String unread) {
    static final Watched ABSENT = new Watched(List.of(), null);

    boolean isSynced() {
      return scopes.stream().allMatch(KindWatch::isSynced);
    }

    /// Known well enough to go by.
    boolean isDecided() {
      return scopes.stream().allMatch(scope -> scope.isSynced() || scope.isRefused());
    }

    boolean isSilent() {
      // Every scope is asked, so that each goes on counting.
      return scopes.stream().mapToInt(KindWatch::timesSilent).max().orElse(0) >= SILENT_POLLS;
    }

    String version() {
      return scopes.isEmpty() ? "" : scopes.getFirst().version();
    }

    Availability availability() {
      if (unread != null) {
        return new Availability.Unread(unread);
      }
      if (scopes.isEmpty()) {
        return new Availability.Absent();
      }
      for (KindWatch scope : scopes) {
        if (!scope.isSynced()) {
          return new Availability.Unread(scope.problem());
        }
      }
      return new Availability.Served(version());
    }
  }

  /// @param changed gets what is known, from the time on when every kind was read or refused;
  ///   called on a thread of its own
  public Watches(ApiServer api, Setup setup, Consumer<State> changed) {
    this.api = api;
    this.setup = setup;
    this.changed = changed;
    for (Kind kind : setup.kinds()) {
      changesOf.put(kind, new AtomicLong());
    }
  }

  /// Begins to watch.
  public void start() {
    api.whenExpired(watch -> inTurn(() -> expired(watch)));
    polling.scheduleWithFixedDelay(
        this::poll, 0, setup.apiPoll().toMillis(), TimeUnit.MILLISECONDS);
  }

  private void inTurn(Runnable task) {
    try {
      polling.execute(task);
    } catch (RejectedExecutionException _) {
      // It is closed: nothing is watched any more.
    }
  }

  // --- which kinds there are ---

  private void poll() {
    try {
      api.learnUid();
      Map<Kind, String> served = served();
      for (Kind kind : setup.kinds()) {
        follow(kind, served.get(kind));
      }
    } catch (RuntimeException e) {
      log.atWarn()
          .addKeyValue("cause", e.getCause() == null ? e.getMessage() : e.getCause())
          .log("the API server cannot be asked which kinds it has");
    }
    tell();
  }

  private Map<Kind, String> served() {
    var known = new HashMap<String, Set<String>>();
    var served = new EnumMap<Kind, String>(Kind.class);
    for (Kind kind : setup.kinds()) {
      for (String version : kind.versions()) {
        if (served.containsKey(kind)) {
          break;
        }
        if (BUILT_IN.contains(kind)
            || known
                .computeIfAbsent(
                    kind.group() + "/" + version, _ -> api.resources(kind.group(), version))
                .contains(kind.plural())) {
          served.put(kind, version);
        }
      }
    }
    return served;
  }

  private void follow(Kind kind, @Nullable String version) {
    Watched before = watched.get(kind);
    if (version == null) {
      if (before == null || !before.scopes().isEmpty()) {
        log.atInfo().addKeyValue("kind", kind.label()).log("the cluster has no such kind (yet)");
      }
      giveUp(coming.remove(kind));
      replace(kind, before, Watched.ABSENT);
      return;
    }
    Watched next = coming.get(kind);
    Watched latest = next == null ? before : next;
    boolean isSilent = before != null && before.isSilent();
    if (latest != null && (latest.version().equals(version) || latest.unread() != null)) {
      if (next == null && isSilent) {
        beginAnew(kind, version, "a watch does not come back");
      }
      return;
    }
    if (kind == Kind.NAMESPACE && !setup.namespaces().isEmpty()) {
      watched.put(kind, new Watched(List.of(), "kubernetes.watch_namespaces is set"));
      return;
    }
    log.atInfo()
        .addKeyValue("kind", kind.label())
        .addKeyValue("version", version)
        .log("a kind of the cluster is watched");
    begin(kind, version);
  }

  /// Lists once more; what was known before holds until that is done.
  private void beginAnew(Kind kind, String version, String why) {
    log.atWarn()
        .addKeyValue("kind", kind.label())
        .addKeyValue("cause", why)
        .log("the objects of a kind are listed anew");
    begin(kind, version);
  }

  private void begin(Kind kind, String version) {
    Watched before = watched.get(kind);
    var scopes = new ArrayList<KindWatch>();
    Watched next = new Watched(scopes, null);
    for (String namespace : scopesOf(kind)) {
      scopes.add(new KindWatch(api, kind, version, namespace, new OfKind(kind, next)));
    }
    if (before == null || before.scopes().isEmpty()) {
      watched.put(kind, next);
    } else {
      giveUp(coming.put(kind, next));
    }
    scopes.forEach(KindWatch::start);
  }

  /// The server does not remember what happened since some watch broke. The client goes on asking
  /// for just that, ever less often, so that what is passed over here is told again. The answer to
  /// a watch that another has taken the place of comes late, and is nobody's.
  private void expired(ApiServer.Expired watch) {
    for (Kind kind : setup.kinds()) {
      Watched now = of(kind);
      boolean isMeant =
          now.isSynced() && now.scopes().stream().anyMatch(scope -> scope.isAskedBy(watch));
      if (isMeant && !coming.containsKey(kind)) {
        beginAnew(kind, now.version(), "the server has forgotten the changes since (410)");
      }
    }
  }

  private Collection<String> scopesOf(Kind kind) {
    return setup.namespaces().isEmpty() || kind.isClusterScoped() ? Set.of("") : setup.namespaces();
  }

  private static void giveUp(@Nullable Watched old) {
    if (old != null) {
      old.scopes().forEach(KindWatch::close);
    }
  }

  /// Goes from one version of a kind to another, or to none.
  private void replace(Kind kind, @Nullable Watched before, Watched now) {
    watched.put(kind, now);
    if (!now.equals(before)) {
      giveUp(before);
    }
  }

  private final class OfKind implements KindWatch.Listener {
    private final Kind kind;
    private final Watched owner;

    OfKind(Kind kind, Watched owner) {
      this.kind = kind;
      this.owner = owner;
    }

    @Override
    public void changed(ObjectRef ref, ObjectReader.@Nullable Read now) {
      if (kind == Kind.ENDPOINT_SLICE) {
        unindex(ref);
        if (now instanceof ObjectReader.Read.Good(EndpointSlice slice)) {
          index(slice);
        }
      } else {
        countChange(kind);
        tell();
      }
    }

    @Override
    public void synced() {
      inTurn(() -> {
        if (owner.isSynced() && coming.remove(kind, owner)) {
          replace(kind, watched.get(kind), owner);
          if (kind == Kind.ENDPOINT_SLICE) {
            forgetOthers(owner);
          }
          // What went meanwhile is told by nothing else.
          countChange(kind);
          tell();
        }
      });
      tell();
    }

    @Override
    public void failed(String why) {
      tell();
    }
  }

  // --- telling ---

  private synchronized void tell() {
    if (!scheduled && !closed) {
      scheduled = true;
      telling.schedule(
          this::tellNow,
          Math.max(COALESCED.toNanos(), restsUntil - System.nanoTime()),
          TimeUnit.NANOSECONDS);
    }
  }

  private void tellNow() {
    synchronized (this) {
      scheduled = false;
    }
    try {
      if (setup.kinds().stream()
          .allMatch(kind -> watched.containsKey(kind) && of(kind).isDecided())) {
        Known now = known();
        if (!now.equals(told)) {
          changed.accept(state(now));
          told = now;
        }
      }
    } catch (RuntimeException e) {
      log.error("a view of the cluster could not be put together", e);
    }
    synchronized (this) {
      restsUntil = System.nanoTime() + REST.toNanos();
    }
  }

  private Watched of(Kind kind) {
    return watched.getOrDefault(kind, Watched.ABSENT);
  }

  private Known known() {
    // Before anything is looked at: what changes meanwhile is told once more.
    long seen = changesOf.values().stream().mapToLong(AtomicLong::get).sum();
    var kinds = new EnumMap<Kind, Availability>(Kind.class);
    var problems = new ArrayList<String>();
    int watching = 0;
    int watches = 0;
    for (Kind kind : setup.kinds()) {
      Watched now = of(kind);
      kinds.put(kind, now.availability());
      for (KindWatch scope : now.scopes()) {
        watches++;
        watching += scope.isWatching() ? 1 : 0;
        if (!scope.problem().isEmpty()) {
          problems.add(scope.problem());
        }
      }
    }
    return new Known(
        kinds, problems.stream().distinct().sorted().toList(), watching, watches, seen);
  }

  private void countChange(Kind kind) {
    Objects.requireNonNull(changesOf.get(kind)).incrementAndGet();
  }

  private State state(Known now) {
    var objects = new EnumMap<Kind, List<KubernetesObject>>(Kind.class);
    var unreadable = new ArrayList<ObjectReader.Read.Unreadable>();
    changesOf.forEach((kind, count) -> {
      if (kind != Kind.ENDPOINT_SLICE) {
        Listed list = list(kind, count.get());
        objects.put(kind, list.objects());
        unreadable.addAll(list.unreadable());
      }
    });
    return new State(
        new ClusterView(now.kinds(), objects, unreadable),
        now.problems(),
        now.watching(),
        now.watches());
  }

  /// The objects of a kind: the very list of before while nothing of the kind has changed.
  ///
  /// @param count of changes, taken before
  private Listed list(Kind kind, long count) {
    Watched owner = of(kind);
    Listed before = listed.get(kind);
    if (before != null && before.changes() == count && before.owner().equals(owner)) {
      return before;
    }
    var objects = new ArrayList<KubernetesObject>();
    var unreadable = new ArrayList<ObjectReader.Read.Unreadable>();
    for (KindWatch scope : owner.scopes()) {
      for (ObjectReader.Read read : scope.objects()) {
        switch (read) {
          case ObjectReader.Read.Good(var object) -> objects.add(object);
          case ObjectReader.Read.Unreadable bad -> unreadable.add(bad);
        }
      }
    }
    if (owner.scopes().size() > 1) {
      objects.sort(Comparator.comparing(KubernetesObject::ref));
    }
    var now = new Listed(owner, count, List.copyOf(objects), unreadable);
    listed.put(kind, now);
    return now;
  }

  // --- BackendsView ---

  @Override
  public Optional<Service> service(ObjectRef ref) {
    for (KindWatch scope : of(Kind.SERVICE).scopes()) {
      if (scope.get(ref) instanceof ObjectReader.Read.Good(Service service)) {
        return Optional.of(service);
      }
    }
    return Optional.empty();
  }

  @Override
  public List<EndpointSlice> slices(ObjectRef service) {
    return slices.getOrDefault(service, List.of());
  }

  private void index(EndpointSlice slice) {
    if (!slice.service().isEmpty()) {
      ObjectRef service = serviceOf(slice);
      services.put(slice.ref(), service);
      slices.merge(
          service,
          List.of(slice),
          (known, more) -> Stream.concat(known.stream(), more.stream()).toList());
    }
  }

  /// A slice may be told for another Service than before.
  private void unindex(ObjectRef slice) {
    ObjectRef service = services.remove(slice);
    if (service != null) {
      slices.computeIfPresent(
          service,
          (_, known) -> {
            var others = known.stream().filter(one -> !one.ref().equals(slice)).toList();
            return others.isEmpty() ? null : others;
          });
    }
  }

  /// What went while nothing was told.
  private void forgetOthers(Watched now) {
    for (ObjectRef slice : services.keySet()) {
      if (now.scopes().stream().allMatch(scope -> scope.get(slice) == null)) {
        unindex(slice);
      }
    }
  }

  private static ObjectRef serviceOf(EndpointSlice slice) {
    return new ObjectRef(Kind.SERVICE, slice.meta().namespace(), slice.service());
  }

  @Override
  public void close() {
    synchronized (this) {
      closed = true;
    }
    polling.shutdownNow();
    telling.shutdownNow();
    watched.values().forEach(Watches::giveUp);
    coming.values().forEach(Watches::giveUp);
  }
}
