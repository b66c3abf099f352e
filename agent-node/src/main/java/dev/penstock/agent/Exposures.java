package dev.penstock.agent;

import dev.penstock.agent.connect.Backoff;
import dev.penstock.agent.connect.Outbound;
import dev.penstock.agent.connect.TunnelClient;
import dev.penstock.agent.observe.AgentMeters;
import dev.penstock.agent.serve.Exposure;
import dev.penstock.agent.serve.Found;
import dev.penstock.agent.serve.Grants;
import dev.penstock.agent.serve.SeenTunnel;
import dev.penstock.agent.serve.Target;
import dev.penstock.agent.serve.Targets;
import dev.penstock.agent.settings.ServiceSettings;
import dev.penstock.protocol.control.TunnelRegistered;
import dev.penstock.protocol.control.TunnelSync;
import dev.penstock.protocol.net.Tcp;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// All tunnels of an agent, those of its settings and those that were found: serves them, has the
/// gateway know them, and knows what it said. Of one tunnel one call is under way at a time, so
/// that the last one decides. Belongs to the [Supervisor], on whose thread everything runs.
final class Exposures {
  /// What happened since; the owner hands each back through [#on].
  sealed interface Event {}

  private record Registered(String key, long round, TunnelRegistered answer) implements Event {}

  private record Refused(String key, long round, Throwable why) implements Event {}

  private record Deregistered(String key, long round) implements Event {}

  private record NotDeregistered(String key, long round, Throwable why) implements Event {}

  private record Synced(long round, Set<String> keys, TunnelClient.Sync answer) implements Event {}

  private record NotSynced(long round, Set<String> keys, Throwable why) implements Event {}

  private record Again(String key, long round) implements Event {}

  private record SyncAgain(long round) implements Event {}

  private record GraceOver(Target target) implements Event {}

  private record TellGrants() implements Event {}

  /// What this class needs of its owner.
  interface Owner {
    /// Has the event come back when the call has ended.
    <T> void whenDone(CompletionStage<T> call, BiFunction<T, Throwable, Event> event);

    /// Has the event come back after a while; a timer of the same name is replaced.
    void later(Object name, Event event, Duration delay);

    /// A tunnel can be reached now, or elsewhere: a line for people.
    void reachable(String line);

    /// What the gateway says has changed.
    void granted(Grants grants);
  }

  private static final Logger log = LoggerFactory.getLogger(Exposures.class);
  private static final Backoff BACKOFF = Backoff.standard();

  /// Shows the gateway that its tunnels are wanted, well within `gateway.public.sync_grace`.
  private static final Duration SYNC_INTERVAL = Duration.ofMinutes(5);

  /// Changes at one time that are told one by one; more are told with a sync.
  private static final int FEW = 8;

  /// Calls under way, those left over from before an outage aside.
  private static final int MAX_CALLS = 64;

  /// What changes within it is told at once.
  private static final Duration COALESCED = Duration.ofMillis(20);

  private final Outbound outbound;
  private final TunnelClient client;
  private final AgentMeters meters;
  private final Owner owner;
  private final Targets targets = new Targets();
  private final Map<String, Entry> entries = new LinkedHashMap<>();
  private final Queue<Entry> waiting = new ArrayDeque<>();
  private Found.@Nullable Duty duty;
  private String cluster = "";
  private boolean linked;
  private int calls;
  private boolean syncing;
  private boolean syncAgain;
  private boolean grantsToTell;

  /// All that was found had an answer once since the links were up.
  private boolean answeredOnce;

  /// Counts outages: answers of an earlier round come too late to count.
  private long round;

  private long roundStartedAt = System.nanoTime();

  /// How what the gateway did not take is told again.
  private enum Retry {
    /// By a call of its own.
    ALONE,
    /// By the next sync: thousands were refused for one reason.
    TOGETHER
  }

  /// One tunnel.
  private static final class Entry {
    final String key;
    final boolean found;
    Exposure exposure;
    boolean gone;

    /// Its target is the exposure as it is now.
    boolean served;

    boolean asking;
    boolean askAgain;
    @Nullable TunnelRegistered confirmed;

    /// Why it is not confirmed, where the gateway said so.
    @Nullable String refusal;

    @Nullable String announced;

    Entry(Exposure exposure, boolean found) {
      this.key = exposure.key();
      this.exposure = exposure;
      this.found = found;
    }

    void forget() {
      asking = false;
      askAgain = false;
      confirmed = null;
      refusal = null;
    }
  }

  Exposures(Outbound outbound, AgentMeters meters, Owner owner) {
    this.outbound = outbound;
    this.client = new TunnelClient(outbound);
    this.meters = meters;
    this.owner = owner;
    for (ServiceSettings service : outbound.settings().exposed()) {
      var entry = new Entry(Exposure.of(service), false);
      entries.put(entry.key, entry);
    }
  }

  /// All of them, for operators.
  List<SeenTunnel> survey() {
    return entries.values().stream()
        .filter(entry -> !entry.gone)
        .map(entry -> {
          TunnelRegistered confirmed = entry.confirmed;
          return new SeenTunnel(
              cluster.isEmpty() ? entry.key : entry.exposure.id(cluster),
              entry.exposure.name(),
              entry.exposure.protocol(),
              entry.exposure.leadsTo(),
              confirmed == null ? null : endpoint(entry.exposure, confirmed),
              entry.refusal);
        })
        .toList();
  }

  /// Where the streams of the tunnels go.
  Targets targets() {
    return targets;
  }

  /// The gateway knows this agent as one of `name`: tunnels can be registered.
  void registeredAs(String name) {
    cluster = name;
    entries.values().forEach(this::serve);
    registerAll();
    grantsChanged();
  }

  /// There is a link, after there was none.
  void linkUp() {
    linked = true;
    if (round > 0) {
      registerAll();
    }
    entries.values().forEach(this::announce);
    grantsChanged();
  }

  /// No link is left. A gateway that was away may have been another one: it is told of everything
  /// again.
  void linksLost() {
    linked = false;
    answeredOnce = false;
    round++;
    waiting.clear();
    calls = 0;
    syncing = false;
    syncAgain = false;
    entries.values().forEach(Entry::forget);
    grantsChanged();
  }

  /// What is to be exposed beside the settings' services, from now on.
  void discovered(Found now) {
    boolean registered = duty == Found.Duty.REGISTER;
    boolean registers = now.duty() == Found.Duty.REGISTER;
    duty = now.duty();
    var changed = new ArrayList<Entry>();
    var found = new HashSet<String>();
    for (Exposure exposure : now.exposures()) {
      found.add(exposure.key());
      Entry entry = entries.get(exposure.key());
      if (entry == null) {
        entry = new Entry(exposure, true);
        entries.put(entry.key, entry);
        changed.add(entry);
      } else if (entry.gone || !registered || !entry.exposure.told().equals(exposure.told())) {
        changed.add(entry);
      }
      boolean isServed = !entry.gone && entry.exposure.equals(exposure) && entry.served;
      entry.gone = false;
      entry.exposure = exposure;
      if (!isServed) {
        serve(entry);
      }
    }
    for (Entry entry : List.copyOf(entries.values())) {
      if (entry.found && !found.contains(entry.key)) {
        remove(entry, registers, changed);
      }
    }
    if (!registers) {
      entries.values().stream().filter(entry -> entry.found).forEach(Entry::forget);
    } else if (!cluster.isEmpty()) {
      tell(changed);
    }
    meters.discovery().found(entries.values().stream().filter(entry -> !entry.gone).count());
    grantsChanged();
  }

  private void serve(Entry entry) {
    if (!cluster.isEmpty() && !entry.gone) {
      targets.put(entry.exposure.id(cluster), entry.exposure);
      entry.served = true;
    }
  }

  private void remove(Entry entry, boolean registers, List<Entry> changed) {
    if (!cluster.isEmpty()) {
      Target target = targets.remove(entry.exposure.id(cluster));
      meters.live().streams().forget("", entry.exposure.id(cluster));
      if (target != null) {
        owner.later(target, new GraceOver(target), outbound.settings().drainGrace());
      }
    }
    entry.announced = null;
    entry.served = false;
    if (registers && !cluster.isEmpty()) {
      if (!entry.gone) {
        entry.gone = true;
        changed.add(entry);
      }
    } else {
      entries.remove(entry.key);
    }
  }

  /// Why the agent is not ready, as far as tunnels are the reason.
  List<String> missing() {
    var reasons = new ArrayList<String>();
    int unanswered = 0;
    for (Entry entry : entries.values()) {
      if (entry.found) {
        if (isTold(entry) && !entry.gone && entry.confirmed == null && entry.refusal == null) {
          unanswered++;
        }
      } else if (entry.confirmed == null) {
        reasons.add(
            "tunnel "
                + entry.exposure.name()
                + " is not confirmed by the gateway"
                + (entry.refusal == null ? "" : ": " + entry.refusal));
      }
    }
    answeredOnce |= linked && unanswered == 0;
    if (!answeredOnce && unanswered > 0) {
      reasons.add("tunnels found in Kubernetes without an answer of the gateway: " + unanswered);
    }
    return reasons;
  }

  void on(Event event) {
    switch (event) {
      case Registered(var key, long of, var answer) -> {
        Entry entry = ended(key, of);
        if (entry != null) {
          confirmed(entry, answer);
          goOn(entry);
        }
      }
      case Refused(var key, long of, var why) -> {
        Entry entry = ended(key, of);
        if (entry != null) {
          refused(entry, why, Retry.ALONE);
          goOn(entry);
        }
      }
      case Deregistered(var key, long of) -> {
        Entry entry = ended(key, of);
        if (entry != null && entry.gone) {
          entries.remove(key);
        } else if (entry != null) {
          ask(entry);
        }
      }
      case NotDeregistered(var key, long of, var why) -> {
        Entry entry = ended(key, of);
        if (entry != null) {
          meters.discovery().registrationFailed();
          log.atWarn()
              .addKeyValue("service", entry.exposure.name())
              .addKeyValue("cause", Tcp.causeOf(why).getMessage())
              .log("the gateway did not let go of a tunnel");
          owner.later(key, new Again(key, round), retryDelay());
        }
      }
      case Synced(long of, var keys, var answer) -> {
        if (of == round) {
          calls--;
          synced(keys, answer);
        }
      }
      case NotSynced(long of, var keys, var why) -> {
        if (of == round) {
          calls--;
          notSynced(keys, why);
        }
      }
      case Again(var key, long of) -> {
        Entry entry = entries.get(key);
        if (of == round && entry != null) {
          ask(entry);
        }
      }
      case SyncAgain(long of) -> {
        if (of == round) {
          sync();
        }
      }
      case GraceOver(var target) -> target.end();
      case TellGrants() -> tellGrants();
    }
    callNext();
  }

  // --- telling the gateway ---

  private boolean isTold(Entry entry) {
    return !entry.found || duty == Found.Duty.REGISTER;
  }

  private List<Entry> told() {
    return entries.values().stream().filter(this::isTold).toList();
  }

  private void registerAll() {
    roundStartedAt = System.nanoTime();
    List<Entry> all = told();
    meters.discovery().synced(entries.values().stream().filter(entry -> !entry.gone).count());
    if (isForSync(all.size())) {
      sync();
      all.stream().filter(entry -> entry.gone).forEach(this::ask);
    } else {
      all.forEach(this::ask);
    }
    callNext();
  }

  /// One agent speaks for all that was found: what its predecessor registered and is found no
  /// longer is forgotten by the gateway because syncs do not name it.
  private boolean isForSync(int count) {
    return TunnelClient.isForSync(count)
        || (duty == Found.Duty.REGISTER && count <= TunnelSync.MAX_ENTRIES);
  }

  private void tell(Collection<Entry> changed) {
    if (changed.size() > FEW && isForSync(told().size())) {
      meters.discovery().synced(entries.values().stream().filter(entry -> !entry.gone).count());
      sync();
      changed.stream().filter(entry -> entry.gone).forEach(this::ask);
    } else {
      changed.forEach(this::ask);
      if (duty == Found.Duty.REGISTER) {
        owner.later("sync", new SyncAgain(round), SYNC_INTERVAL);
      }
    }
    callNext();
  }

  private void ask(Entry entry) {
    if (!isTold(entry)) {
      return;
    }
    if (entry.asking) {
      entry.askAgain = true;
    } else {
      entry.asking = true;
      waiting.add(entry);
    }
  }

  private void goOn(Entry entry) {
    if (entry.askAgain || entry.gone) {
      entry.askAgain = false;
      ask(entry);
    }
  }

  private void callNext() {
    while (calls < MAX_CALLS && !waiting.isEmpty()) {
      call(waiting.remove());
    }
  }

  private void call(Entry entry) {
    long now = round;
    String key = entry.key;
    calls++;
    entry.askAgain = false;
    if (entry.gone) {
      owner.whenDone(
          client.deregister(outbound.loops().get(0), cluster, entry.exposure.id(cluster)),
          (_, failed) ->
              failed == null ? new Deregistered(key, now) : new NotDeregistered(key, now, failed));
    } else {
      owner.whenDone(
          client.register(outbound.loops().get(0), cluster, entry.exposure),
          (answer, failed) ->
              failed == null ? new Registered(key, now, answer) : new Refused(key, now, failed));
    }
  }

  /// The tunnel whose call has ended; null when that does not count any more.
  private @Nullable Entry ended(String key, long of) {
    if (of != round) {
      return null;
    }
    calls--;
    Entry entry = entries.get(key);
    if (entry == null || !isTold(entry)) {
      return null;
    }
    entry.asking = false;
    return entry;
  }

  private void sync() {
    if (syncing) {
      syncAgain = true;
      return;
    }
    var named = new HashMap<String, Exposure>();
    for (Entry entry : told()) {
      if (!entry.gone) {
        named.put(entry.key, entry.exposure);
        if (entry.asking) {
          entry.askAgain = true;
        } else {
          entry.asking = true;
        }
      }
    }
    syncing = true;
    calls++;
    long now = round;
    Set<String> keys = Set.copyOf(named.keySet());
    owner.whenDone(
        client.sync(outbound.loops().get(0), cluster, named.values()),
        (answer, failed) ->
            failed == null ? new Synced(now, keys, answer) : new NotSynced(now, keys, failed));
  }

  private void synced(Set<String> keys, TunnelClient.Sync answer) {
    syncing = false;
    switch (answer) {
      case TunnelClient.Sync.NotServed() ->
          of(keys)
              .forEach(entry -> {
                entry.asking = false;
                ask(entry);
              });
      case TunnelClient.Sync.Done(var tunnels) -> {
        Retry retry = tunnels.rejected().size() > FEW ? Retry.TOGETHER : Retry.ALONE;
        for (Entry entry : of(keys)) {
          entry.asking = false;
          String id = entry.exposure.id(cluster);
          TunnelRegistered taken = tunnels.taken().get(id);
          if (taken == null) {
            refused(
                entry,
                new TunnelClient.Refused(
                    tunnels.rejected().getOrDefault(id, "the answer does not name it")),
                retry);
          } else {
            confirmed(entry, taken);
          }
          goOn(entry);
        }
        owner.later(
            "sync", new SyncAgain(round), retry == Retry.TOGETHER ? retryDelay() : SYNC_INTERVAL);
      }
    }
    if (syncAgain) {
      syncAgain = false;
      sync();
    }
  }

  /// Tunnels that were confirmed before stay so: the gateway does not forget them that soon.
  private void notSynced(Set<String> keys, Throwable why) {
    syncing = false;
    syncAgain = false;
    meters.discovery().registrationFailed();
    log.atWarn()
        .addKeyValue("tunnels", keys.size())
        .addKeyValue("cause", Tcp.causeOf(why).getMessage())
        .log("the gateway did not take the tunnels");
    of(keys)
        .forEach(entry -> {
          entry.asking = false;
          if (entry.gone) {
            ask(entry);
          }
        });
    owner.later("sync", new SyncAgain(round), retryDelay());
  }

  private List<Entry> of(Set<String> keys) {
    var found = new ArrayList<Entry>(keys.size());
    for (String key : keys) {
      Entry entry = entries.get(key);
      if (entry != null && isTold(entry)) {
        found.add(entry);
      }
    }
    return found;
  }

  private Duration retryDelay() {
    var outage = Duration.ofNanos(System.nanoTime() - roundStartedAt);
    return BACKOFF.delay(outage, Duration.ZERO, ThreadLocalRandom.current());
  }

  // --- what the gateway said ---

  private void confirmed(Entry entry, TunnelRegistered answer) {
    boolean news = !answer.equals(entry.confirmed);
    entry.confirmed = answer;
    entry.refusal = null;
    announce(entry);
    if (news && entry.found) {
      grantsChanged();
    }
  }

  private void refused(Entry entry, Throwable why, Retry retry) {
    meters.discovery().registrationFailed();
    Throwable cause = Tcp.causeOf(why);
    String text = String.valueOf(cause.getMessage());
    boolean news = !text.equals(entry.refusal);
    entry.confirmed = null;
    entry.refusal = text;
    if (news || retry == Retry.ALONE) {
      log.atWarn()
          .addKeyValue("service", entry.exposure.name())
          .addKeyValue("cause", text)
          .log("the gateway did not take a tunnel");
    }
    if (retry == Retry.ALONE) {
      owner.later(entry.key, new Again(entry.key, round), retryDelay());
    }
    if (news && entry.found) {
      grantsChanged();
    }
  }

  private void announce(Entry entry) {
    TunnelRegistered tunnel = entry.confirmed;
    if (!linked || tunnel == null || entry.gone) {
      return;
    }
    String endpoint = endpoint(entry.exposure, tunnel);
    if (!endpoint.equals(entry.announced)) {
      entry.announced = endpoint;
      owner.reachable(
          entry.exposure.name()
              + "  "
              + entry.exposure.protocol().label()
              + "  "
              + endpoint
              + " -> "
              + entry.exposure.leadsTo());
    }
  }

  /// Where clients go: past the gateway when the tunnel has no port there.
  private static String endpoint(Exposure exposure, TunnelRegistered tunnel) {
    return tunnel.tunnelPort() == TunnelRegistered.NO_PORT
        ? exposure.told().publicEndpoint()
        : tunnel.tunnelEndpoint();
  }

  private void grantsChanged() {
    if (!grantsToTell) {
      grantsToTell = true;
      owner.later("grants", new TellGrants(), COALESCED);
    }
  }

  private void tellGrants() {
    grantsToTell = false;
    var grants = new HashMap<String, Grants.Grant>();
    for (Entry entry : entries.values()) {
      if (!entry.found || entry.gone) {
        continue;
      }
      if (entry.confirmed != null) {
        grants.put(entry.exposure.id(cluster), new Grants.Grant.Given(entry.confirmed));
      } else if (entry.refusal != null) {
        grants.put(entry.exposure.id(cluster), new Grants.Grant.Refused(entry.refusal));
      }
    }
    owner.granted(
        new Grants(cluster, linked ? Grants.Carriage.LINKED : Grants.Carriage.NOT_LINKED, grants));
  }
}
