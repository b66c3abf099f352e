package dev.penstock.agent.connect;

import dev.penstock.protocol.control.GatewayNode;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// Which links an agent keeps, to which nodes, and when it dials them. Pure: told what happened,
/// asked what follows; time is an argument in nanoseconds of a monotonic clock. Not thread-safe.
///
/// ```
/// slot:  empty --time--> dialling --up--> up --lost--> empty
///          ^----failed------/              \--asked to drain--> empty, the link leaves by itself
/// spare: dialled beside full slots to reach a node without a link; once up it takes the place of a
///        link that is one too many, and only then is that one retired
/// ```
///
/// Nodes are ranked for each agent by a hash of both names (rendezvous hashing), so that agents
/// spread evenly without knowing of each other, and a node that joins is linked by just those for
/// which it ranks high.
public final class Spread {
  /// Where to dial.
  ///
  /// @param node the node at this address, `""` for an address that several share
  public record Target(String node, URI url) {}

  /// What is to be done.
  public sealed interface Step {
    long link();

    /// Open this link.
    record Dial(long link, Target target) implements Step {}

    /// The gateway asked to be left: there are links elsewhere now.
    record TellDrained(long link) implements Step {}

    /// Let this link finish what runs on it, then close it.
    record Retire(long link) implements Step {}
  }

  /// A link that was up for less has not ended the outage before it.
  static final Duration STABLE = Duration.ofSeconds(5);

  /// Dials through a shared address in the hope for another node, before duplicates are accepted
  /// until the nodes change.
  static final int MAX_SPARE_TRIES = 6;

  private static final Duration AT_ONCE = Duration.ofMillis(100);

  /// All agents of a node are asked to drain together.
  private static final Duration DRAIN_JITTER = Duration.ofSeconds(1);

  private static final Duration SPARE_JITTER = Duration.ofSeconds(2);
  private static final Duration MAX_SPARE_WAIT = Duration.ofSeconds(60);
  private static final Duration AVOID_LOST = Duration.ofSeconds(2);
  private static final Duration AVOID_FAILED = Duration.ofSeconds(5);
  private static final Duration AVOID_DRAINING = Duration.ofSeconds(60);
  private static final Duration MAX_AVOID = Duration.ofMinutes(5);

  /// The longest time that a gateway may ask to be left alone.
  private static final Duration MAX_RETRY_AFTER = Duration.ofSeconds(60);

  private enum Phase {
    DIALLING,
    UP,
    /// Asked to drain, not yet answered.
    ASKED,
    /// Nobody counts on it any more.
    RETIRED
  }

  private static final class Known {
    final Target target;
    Phase phase = Phase.DIALLING;
    String node = "";
    long upAt;

    Known(Target target) {
      this.target = target;
    }
  }

  private static final class Slot {
    @Nullable Long link;
    long downSince;
    long dialAt;

    Slot(long now) {
      downSince = now;
      dialAt = now;
    }
  }

  /// Why an address is left alone for a while.
  private record Avoided(long until, int failures) {}

  private final String agent;
  private final List<URI> shared;
  private final Backoff backoff;
  private final List<Slot> slots = new ArrayList<>();
  private final Map<Long, Known> links = new LinkedHashMap<>();
  private final Map<String, Optional<URI>> nodes = new LinkedHashMap<>();

  /// Nodes that came after the first list and were not considered yet.
  private final Set<String> joined = new HashSet<>();

  /// By URL, and by node where that is to be left alone wherever it is.
  private final Map<String, Avoided> avoided = new HashMap<>();

  private final List<Step> pending = new ArrayList<>();
  private final Predicate<URI> usable;
  private @Nullable Long spare;
  private @Nullable Long spareAt;
  private int spareTries;
  private long lastLink;
  private int nextShared;
  private @Nullable Long dueAt;

  /// @param agent its id, for the ranks of nodes
  /// @param wanted links to keep, at least 1
  /// @param shared addresses that lead to some node, at least one
  /// @param usable whether this agent can dial such a URL
  public Spread(
      String agent,
      int wanted,
      List<URI> shared,
      Predicate<URI> usable,
      Backoff backoff,
      long now) {
    if (wanted < 1 || shared.isEmpty()) {
      throw new IllegalArgumentException(
          "wanted: " + wanted + ", shared: " + shared + " (expected: at least one of each)");
    }
    this.agent = agent;
    this.shared = List.copyOf(shared);
    this.usable = usable;
    this.backoff = backoff;
    for (int i = 0; i < wanted; i++) {
      slots.add(new Slot(now));
    }
  }

  // --- what happened ---

  /// The gateway says which nodes there are. An empty list is no news.
  public void nodes(List<GatewayNode> told) {
    if (told.isEmpty()) {
      return;
    }
    var now = new LinkedHashMap<String, Optional<URI>>();
    told.forEach(node -> now.put(node.id(), url(node)));
    if (!now.keySet().equals(nodes.keySet())) {
      spareTries = 0;
      spareAt = null;
      if (!nodes.isEmpty()) {
        now.keySet().stream().filter(id -> !nodes.containsKey(id)).forEach(joined::add);
      }
      joined.retainAll(now.keySet());
      avoided.keySet().removeIf(key -> nodes.containsKey(key) && !now.containsKey(key));
    }
    nodes.clear();
    nodes.putAll(now);
  }

  private Optional<URI> url(GatewayNode node) {
    try {
      return Optional.of(node.url())
          .filter(text -> !text.isEmpty())
          .map(URI::create)
          .filter(usable);
    } catch (IllegalArgumentException _) {
      return Optional.empty();
    }
  }

  /// A link carries streams.
  ///
  /// @param node where it ended up, `""` when the gateway does not say
  public void up(long link, String node, long now, RandomGenerator random) {
    Known known = links.get(link);
    if (known == null || known.phase != Phase.DIALLING) {
      return;
    }
    known.phase = Phase.UP;
    known.node = node;
    known.upAt = now;
    avoided.remove(known.target.url().toString());
    if (isSpare(link)) {
      spareUp(link, known, now, random);
      return;
    }
    for (Slot slot : slots) {
      if (slot.link == null && now - slot.downSince > STABLE.toNanos()) {
        slot.dialAt = Math.min(slot.dialAt, now + jitter(AT_ONCE, random));
      }
    }
  }

  private void spareUp(long link, Known known, long now, RandomGenerator random) {
    spare = null;
    for (Slot slot : slots) {
      if (slot.link == null) {
        slot.link = link;
        return;
      }
    }
    Slot worst = known.node.isEmpty() || covered().contains(known.node) ? null : worst();
    if (worst == null) {
      spareMissed(now, random);
      retire(link, known);
    } else {
      spareTries = 0;
      spareAt = null;
      joined.remove(known.node);
      long old = Objects.requireNonNull(worst.link);
      worst.link = link;
      worst.downSince = now;
      retire(old, Objects.requireNonNull(links.get(old)));
    }
  }

  /// The slot whose link is the first to be given up for one to another node: one of two on a node,
  /// else the one on the node of the lowest rank. Null while not all are up.
  private @Nullable Slot worst() {
    if (!allUp()) {
      return null;
    }
    var seen = new HashSet<String>();
    for (Slot slot : slots) {
      if (!seen.add(nodeOf(slot))) {
        return slot;
      }
    }
    return slots.stream().min(Comparator.comparingLong(slot -> rank(nodeOf(slot)))).orElse(null);
  }

  private String nodeOf(Slot slot) {
    Known known = slot.link == null ? null : links.get(slot.link);
    return known == null ? "" : known.node;
  }

  private void retire(long link, Known known) {
    known.phase = Phase.RETIRED;
    pending.add(new Step.Retire(link));
  }

  /// A dial failed, or its link ended before it was up.
  ///
  /// @param retryAfter what the gateway asked for, zero when it did not
  public void failed(long link, Duration retryAfter, long now, RandomGenerator random) {
    Known known = links.remove(link);
    if (known == null) {
      return;
    }
    Slot slot = slotOf(link);
    long outage = slot == null ? 0 : Math.max(0, now - slot.downSince);
    Duration asked = retryAfter.compareTo(MAX_RETRY_AFTER) > 0 ? MAX_RETRY_AFTER : retryAfter;
    if (!asked.isZero()) {
      avoid(known.target, now + backoff.delay(Duration.ofNanos(outage), asked, random).toNanos());
    } else if (!known.target.node().isEmpty()) {
      avoid(known.target, now + avoidance(known.target, random));
    }
    if (slot != null) {
      slot.link = null;
      slot.dialAt = now + backoff.delay(Duration.ofNanos(outage), Duration.ZERO, random).toNanos();
    } else if (isSpare(link)) {
      spare = null;
      spareMissed(now, random);
    }
  }

  private void avoid(Target target, long until) {
    avoided.merge(
        target.url().toString(),
        new Avoided(until, 1),
        (before, _) -> new Avoided(until, before.failures() + 1));
  }

  /// Doubles with each failure, and is spread over its upper half.
  private long avoidance(Target target, RandomGenerator random) {
    Avoided before = avoided.get(target.url().toString());
    int failures = before == null ? 0 : Math.min(before.failures(), 10);
    long whole = Math.min(AVOID_FAILED.toNanos() << failures, MAX_AVOID.toNanos());
    return whole / 2 + random.nextLong(whole / 2);
  }

  private void spareMissed(long now, RandomGenerator random) {
    spareTries++;
    long whole =
        Math.min(
            Duration.ofSeconds(1).toNanos() << Math.min(spareTries, 10), MAX_SPARE_WAIT.toNanos());
    spareAt = now + whole / 2 + random.nextLong(whole / 2);
  }

  /// A link has ended that was up, or that ended without a word.
  public void lost(long link, long now, RandomGenerator random) {
    Known known = links.remove(link);
    Slot slot = slotOf(link);
    if (known == null || slot == null) {
      return;
    }
    slot.link = null;
    if (known.phase == Phase.UP) {
      Optional<URI> url = nodes.getOrDefault(known.node, Optional.empty());
      if (url.isPresent() && !avoided.containsKey(url.get().toString())) {
        avoided.put(url.get().toString(), new Avoided(now + AVOID_LOST.toNanos(), 0));
      }
    }
    if (known.phase == Phase.UP && now - known.upAt > STABLE.toNanos()) {
      slot.downSince = now;
      slot.dialAt = now + jitter(AT_ONCE, random);
    } else {
      if (known.phase == Phase.UP) {
        // The outage before goes on, without the time for which the link was up: that would make
        // the wait the longer the better the link was.
        slot.downSince += now - known.upAt;
      }
      var outage = Duration.ofNanos(Math.max(0, now - slot.downSince));
      slot.dialAt = now + backoff.delay(outage, Duration.ZERO, random).toNanos();
    }
  }

  /// The gateway at the other end wants to be left.
  public void drain(long link, long now, RandomGenerator random) {
    Known known = links.get(link);
    if (known == null || known.phase != Phase.UP) {
      return;
    }
    known.phase = Phase.ASKED;
    if (!known.node.isEmpty()) {
      avoided.put(known.node, new Avoided(now + AVOID_DRAINING.toNanos(), 0));
      joined.remove(known.node);
    }
    Slot slot = slotOf(link);
    if (slot != null) {
      slot.link = null;
      slot.downSince = now;
      slot.dialAt = now + jitter(DRAIN_JITTER, random);
    }
  }

  // --- what follows ---

  /// What is to be done now; ask again after each event and at [#dueAt].
  public List<Step> steps(long now, RandomGenerator random) {
    dueAt = null;
    avoided.values().removeIf(it -> it.failures() == 0 && it.until() - now <= 0);
    var steps = new ArrayList<>(pending);
    pending.clear();
    for (Slot slot : slots) {
      if (slot.link == null) {
        fill(slot, now, steps);
      }
    }
    if (spare == null && allUp()) {
      dialSpare(now, random, steps);
      links.forEach((link, known) -> {
        if (known.phase == Phase.ASKED) {
          known.phase = Phase.RETIRED;
          steps.add(new Step.TellDrained(link));
        }
      });
    }
    return steps;
  }

  /// When [#steps] is to be asked again; null when only an event can bring something new.
  public @Nullable Long dueAt() {
    return dueAt;
  }

  /// Links that carry streams and are to go on doing so.
  public long upCount() {
    return slots.stream().filter(this::isUp).count();
  }

  private void due(long at) {
    if (dueAt == null || at - dueAt < 0) {
      dueAt = at;
    }
  }

  private void fill(Slot slot, long now, List<Step> steps) {
    if (slot.dialAt - now > 0) {
      due(slot.dialAt);
      return;
    }
    Target target = forSlot(now);
    if (target == null) {
      long next =
          avoided.values().stream()
              .mapToLong(Avoided::until)
              .filter(until -> until - now > 0)
              .reduce((one, other) -> one - other < 0 ? one : other)
              .orElse(now + AVOID_LOST.toNanos());
      due(next);
    } else {
      slot.link = dial(target, steps);
    }
  }

  private long dial(Target target, List<Step> steps) {
    long link = ++lastLink;
    links.put(link, new Known(target));
    steps.add(new Step.Dial(link, target));
    return link;
  }

  private @Nullable Target forSlot(long now) {
    Set<String> covered = covered();
    Target best = direct(now, id -> !covered.contains(id));
    if (best == null) {
      best = anyShared(now);
    }
    return best == null ? direct(now, _ -> true) : best;
  }

  /// The node of the highest rank that can be dialled now.
  private @Nullable Target direct(long now, Predicate<String> wanted) {
    return nodes.entrySet().stream()
        .filter(node -> wanted.test(node.getKey()) && !isAvoided(node.getKey(), now))
        .flatMap(node -> node.getValue().map(url -> new Target(node.getKey(), url)).stream())
        .filter(target -> !isAvoided(target.url().toString(), now))
        .max(Comparator.comparingLong(target -> rank(target.node())))
        .orElse(null);
  }

  private @Nullable Target anyShared(long now) {
    for (int i = 0; i < shared.size(); i++) {
      URI url = shared.get(Math.floorMod(nextShared++, shared.size()));
      if (!isAvoided(url.toString(), now)) {
        return new Target("", url);
      }
    }
    return null;
  }

  private boolean isAvoided(String key, long now) {
    Avoided found = avoided.get(key);
    return found != null && found.until() - now > 0;
  }

  private void dialSpare(long now, RandomGenerator random, List<Step> steps) {
    boolean needed = hasDuplicates() && !uncovered(now).isEmpty();
    if (!needed && joinedThatRanksHigh(now).isEmpty()) {
      joined.clear();
      spareAt = null;
      return;
    }
    if (spareAt == null) {
      spareAt = now + jitter(SPARE_JITTER, random);
    }
    if (spareAt - now > 0) {
      due(spareAt);
      return;
    }
    Set<String> covered = covered();
    Target target = direct(now, joinedThatRanksHigh(now)::contains);
    if (target == null && needed) {
      target = direct(now, id -> !covered.contains(id));
    }
    if (target == null && needed && spareTries < MAX_SPARE_TRIES) {
      target = anyShared(now);
    }
    if (target != null) {
      spare = dial(target, steps);
    } else if (uncovered(now).stream().anyMatch(this::hasUrl)) {
      // All of them failed lately, and will be tried again.
      spareAt = now + MAX_SPARE_WAIT.toNanos() / 2 + jitter(MAX_SPARE_WAIT.dividedBy(2), random);
      due(spareAt);
    }
  }

  private boolean hasDuplicates() {
    return slots.stream().map(this::nodeOf).distinct().count() < slots.size();
  }

  private List<String> uncovered(long now) {
    Set<String> covered = covered();
    return nodes.keySet().stream()
        .filter(id -> !covered.contains(id) && !isAvoided(id, now))
        .toList();
  }

  /// New nodes that would have been among the first choices of this agent.
  private Set<String> joinedThatRanksHigh(long now) {
    if (joined.isEmpty()) {
      return Set.of();
    }
    var result = new HashSet<>(uncovered(now));
    result.retainAll(joined);
    result.retainAll(
        nodes.keySet().stream()
            .sorted(Comparator.comparingLong(this::rank).reversed())
            .limit(slots.size())
            .toList());
    result.removeIf(id -> !hasUrl(id) || spareTries >= MAX_SPARE_TRIES);
    return result;
  }

  private boolean hasUrl(String node) {
    return nodes.getOrDefault(node, Optional.empty()).isPresent();
  }

  /// Nodes that have a link that stays, or are being dialled.
  private Set<String> covered() {
    var covered = new HashSet<String>();
    for (Slot slot : slots) {
      Known known = slot.link == null ? null : links.get(slot.link);
      if (known != null) {
        covered.add(known.phase == Phase.UP ? known.node : known.target.node());
      }
    }
    covered.remove("");
    return covered;
  }

  private boolean isSpare(long link) {
    return spare != null && spare == link;
  }

  private boolean allUp() {
    return slots.stream().allMatch(this::isUp);
  }

  private boolean isUp(Slot slot) {
    Known known = slot.link == null ? null : links.get(slot.link);
    return known != null && known.phase == Phase.UP;
  }

  private @Nullable Slot slotOf(long link) {
    return slots.stream()
        .filter(slot -> slot.link != null && slot.link == link)
        .findFirst()
        .orElse(null);
  }

  private long rank(String node) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256")
              .digest((agent + "\0" + node).getBytes(StandardCharsets.UTF_8));
      long rank = 0;
      for (int i = 0; i < Long.BYTES; i++) {
        rank = (rank << 8) | (digest[i] & 0xff);
      }
      return rank;
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  private static long jitter(Duration most, RandomGenerator random) {
    return random.nextLong(most.toNanos() + 1);
  }
}
