package dev.penstock.gateway.tunnels;

import dev.penstock.access.AccessRules;
import dev.penstock.gateway.leases.Lease;
import dev.penstock.gateway.leases.LeaseAuthority;
import dev.penstock.gateway.leases.LeaseAuthority.Away;
import dev.penstock.gateway.leases.LeaseMeters;
import dev.penstock.gateway.leases.LeaseRequest;
import dev.penstock.gateway.leases.LeaseResult;
import dev.penstock.gateway.leases.PortWish;
import dev.penstock.gateway.leases.Reserving;
import dev.penstock.gateway.leases.TableChange;
import dev.penstock.gateway.leases.Transport;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.leases.TunnelRecord;
import dev.penstock.gateway.leases.TunnelRecord.Origin;
import dev.penstock.gateway.links.Service;
import dev.penstock.protocol.control.MalformedMessage;
import dev.penstock.protocol.control.RegisteredTunnel;
import dev.penstock.protocol.control.RoutingMode;
import dev.penstock.protocol.control.TunnelRegistration;
import dev.penstock.protocol.net.Loop;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.function.Function;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/// All tunnels of this node: what they were registered with, their leases, their listeners. Who has
/// which port is the [LeaseAuthority]'s to decide; this actor asks it for the tunnels that agents
/// register here, follows its table for those that they register elsewhere, and listens for all.
/// The authority of a single node blocks, so it runs on a dispatcher for blocking work.
///
/// Answers and changes of the table may overtake each other: each tunnel has a revision, and what
/// is older than what is known is passed over.
///
/// ```
/// IDLE --needs a port--> BINDING --bound--> LISTENING
///                           |  ^
///       another program has |  | after a while
///       the tunnel's port   v  |
///                         BLOCKED            each --needs none, or released--> IDLE or gone
/// ```
///
/// A port that was just granted and turns out to be another program's is exchanged for the next one
/// before anyone is told. One that the tunnel has had before is never exchanged: the tunnel waits
/// for it.
public final class Tunnels {
  /// What this actor is told.
  public sealed interface Command {}

  /// Registers a tunnel; the same registration again has the same answer.
  public record Register(String cluster, TunnelRegistration registration, ActorRef<Answer> replyTo)
      implements Command {}

  /// Registers many tunnels, none of which erases what it is silent about, and deregisters those
  /// that syncs have named before, that this one does not, and that nothing has named for
  /// `gateway.public.sync_grace`.
  ///
  /// @param tunnels no two of one id
  /// @param named all ids of the list, those of refused entries too; null when not all could be
  ///   read, and then nothing is deregistered
  public record Sync(
      String cluster,
      List<TunnelRegistration> tunnels,
      @Nullable Set<String> named,
      ActorRef<Synced> replyTo)
      implements Command {}

  /// Ends a tunnel, if there is one; its port is free for others.
  public record Deregister(TunnelIdentity identity, ActorRef<Deregistered> replyTo)
      implements Command {}

  /// Asks for all tunnels of a cluster.
  public record ListAll(String cluster, ActorRef<Listed> replyTo) implements Command {}

  /// Asks for all tunnels of all clusters.
  public record Survey(ActorRef<Surveyed> replyTo) implements Command {}

  /// An operator's wish about ports that are reserved; the authority of a single node has no other
  /// owner.
  ///
  /// @param wish asks the authority
  public record Reserve(
      Function<LeaseAuthority, CompletionStage<Reserving>> wish, ActorRef<Reserving> replyTo)
      implements Command {}

  private record Bound(Tunnel.Bound bound) implements Command {}

  /// The authority has answered; what follows from it.
  private record Answered(Runnable then) implements Command {}

  private record Changed(List<TableChange> changes) implements Command {}

  private record ListenerGone(ActorRef<Tunnel.Command> listener, TunnelIdentity identity)
      implements Command {}

  private record Retry(TunnelIdentity identity) implements Command {}

  /// The answer to [Register].
  public sealed interface Answer {
    /// The tunnel is known; what it needs is bound.
    record Registered(View tunnel) implements Answer {}

    /// The port or id that was asked for cannot be had.
    record Conflict(String text) implements Answer {}

    /// The cluster has as much as it may have.
    record OverQuota(String text) implements Answer {}

    /// No port is left, another program has the tunnel's port, or nothing could be written down.
    ///
    /// @param retryAfter when it makes sense to ask again
    record Unavailable(String text, Duration retryAfter) implements Answer {}
  }

  /// The answer to [Sync].
  public sealed interface Synced {
    /// Everything is bound or refused.
    ///
    /// @param answers one for each tunnel, in the same order
    record Done(List<Answer> answers) implements Synced {}

    /// Nothing of it could be decided; the same sync may be made again.
    record Unavailable(String text, Duration retryAfter) implements Synced {}
  }

  /// The answer to [Deregister].
  public sealed interface Deregistered {
    /// Nobody listens any more.
    record Done() implements Deregistered {}

    /// It could not be written down, or nobody knows; it may be asked for again.
    record Unavailable(String text, Duration retryAfter) implements Deregistered {}
  }

  /// The answer to [ListAll], in the order of their ids.
  public record Listed(List<View> tunnels) {}

  /// The answer to [Survey], in no order.
  public record Surveyed(List<Seen> tunnels) {}

  /// A tunnel as operators see it.
  public record Seen(TunnelRecord tunnel, View view) {}

  /// A tunnel as others see it.
  ///
  /// @param port null when its clients do not come to the gateway
  /// @param fencing see [Lease]; 0 without a port
  public record View(
      TunnelRegistration registration,
      @Nullable Integer port,
      long fencing,
      RegisteredTunnel.State state) {}

  /// What the tunnels are made of.
  ///
  /// @param bind the address that public ports are bound at
  /// @param syncGrace how long a tunnel lasts that syncs no longer name
  /// @param ready runs once all leases of before are bound or are known to be blocked
  public record Setup(
      Tunnel.Shared shared,
      UdpTunnel.Shared udp,
      LeaseAuthority leases,
      LeaseMeters leaseMeters,
      String bind,
      Duration syncGrace,
      Runnable ready) {}

  private static final Logger log = LoggerFactory.getLogger(Tunnels.class);
  private static final Duration SOON = Duration.ofSeconds(1);
  private static final Duration LATER = Duration.ofSeconds(10);
  private static final Duration MUCH_LATER = Duration.ofSeconds(60);
  private static final Answer CHANGED =
      new Answer.Unavailable("the tunnel was changed meanwhile; register it again", SOON);
  private static final Away DEFECT = new Away("the leases failed; try again later", LATER);

  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final Setup setup;
  private final ActorRef<Tunnel.Bound> boundAdapter;
  private final Map<TunnelIdentity, Known> tunnels = new HashMap<>();
  private final Set<TunnelIdentity> restoring = new HashSet<>();

  /// Listeners that are about to end, and how many of them a port has.
  private final Map<ActorRef<Tunnel.Command>, Closing> closing = new HashMap<>();

  private final Map<Port, Integer> closingAt = new HashMap<>();

  /// Tunnels whose listener waits until those before it on its port are closed.
  private final Map<Port, Set<TunnelIdentity>> waitingForPort = new HashMap<>();

  /// Questions to the authority that are not answered, by their number, and tunnels that have ended
  /// since the oldest of them was asked: an answer may be older than that.
  private final TreeSet<Long> open = new TreeSet<>();

  private final Map<TunnelIdentity, End> ended = new LinkedHashMap<>();
  private long asked;
  private boolean tableComplete;

  private record Port(Transport transport, int number) {}

  /// @param then runs when the port is free
  private record Closing(Port port, Runnable then) {}

  /// @param asked questions asked before the end
  private record End(long revision, long asked) {}

  private enum Phase {
    IDLE,
    BINDING,
    LISTENING,
    BLOCKED
  }

  /// A tunnel and who waits for its port.
  private static final class Known {
    TunnelRecord tunnel;
    TunnelRegistration registration;
    long revision;
    Phase phase = Phase.IDLE;
    @Nullable ActorRef<Tunnel.Command> listener;

    /// Whether its lease is among those of the meters.
    boolean counted;

    /// Whether the port was granted just now and may be exchanged for another.
    boolean exchangeable;

    /// What the tunnel was before that grant; null when it was not known.
    @Nullable TunnelRecord before;

    /// Attempts to bind that failed in a row.
    int failures;

    String obstacle = "";

    long namedAt = System.nanoTime();
    final List<Consumer<Answer>> waiting = new ArrayList<>();

    Known(TunnelRecord tunnel, TunnelRegistration registration) {
      this.tunnel = tunnel;
      this.registration = registration;
    }

    boolean needsPort() {
      return registration.routingMode() != RoutingMode.DIRECT && tunnel.lease() != null;
    }

    View view() {
      Lease lease = needsPort() ? tunnel.lease() : null;
      return new View(
          registration,
          lease == null ? null : lease.port(),
          lease == null ? 0 : lease.fencing(),
          phase == Phase.LISTENING
              ? RegisteredTunnel.State.LISTENING
              : RegisteredTunnel.State.NOT_LISTENING);
    }
  }

  private Tunnels(ActorContext<Command> context, TimerScheduler<Command> timers, Setup setup) {
    this.context = context;
    this.timers = timers;
    this.setup = setup;
    this.boundAdapter = context.messageAdapter(Tunnel.Bound.class, Bound::new);
  }

  public static Behavior<Command> create(Setup setup) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          var tunnels = new Tunnels(context, timers, setup);
          tunnels.follow();
          return Behaviors.receiveMessage(tunnels::on);
        }));
  }

  private void follow() {
    ActorRef<Command> self = context.getSelf();
    setup.leases().follow(changes -> self.tell(new Changed(changes)));
  }

  private static Optional<TunnelRegistration> decode(TunnelRecord tunnel) {
    try {
      return Optional.of(TunnelRegistration.decode(tunnel.registration()));
    } catch (MalformedMessage e) {
      log.atError()
          .addKeyValue("cluster", tunnel.identity().cluster())
          .addKeyValue("tunnel", tunnel.identity().tunnelId())
          .addKeyValue("cause", e.getMessage())
          .log(
              "a stored registration cannot be read; its port stays leased until its agent registers"
                  + " again");
      return Optional.empty();
    }
  }

  private void restored(@Nullable TunnelIdentity identity) {
    boolean waited = restoring.remove(identity);
    if (tableComplete && restoring.isEmpty() && (waited || identity == null)) {
      setup.ready().run();
    }
  }

  private Behavior<Command> on(Command command) {
    switch (command) {
      case Register(var cluster, var registration, var replyTo) ->
          register(
              new TunnelIdentity(cluster, registration.tunnelId()),
              registration,
              Origin.REGISTRATION,
              replyTo::tell);
      case Sync sync -> sync(sync);
      case Deregister(var identity, var replyTo) -> deregister(identity, replyTo);
      case ListAll(var cluster, var replyTo) -> replyTo.tell(new Listed(list(cluster)));
      case Survey(var replyTo) ->
          replyTo.tell(
              new Surveyed(
                  tunnels.values().stream()
                      .map(known -> new Seen(known.tunnel, known.view()))
                      .toList()));
      case Reserve(var wish, var replyTo) ->
          once(wish.apply(setup.leases()), Reserving.Unavailable::new, replyTo::tell);
      case Bound(Tunnel.Bound.Listens(var listener, var identity, _)) ->
          listens(listener, identity);
      case Bound(Tunnel.Bound.Failed failed) -> failed(failed);
      case Bound(Tunnel.Bound.Closed(var listener, _, _, _)) -> closed(listener);
      case Answered(var then) -> then.run();
      case Changed(var changes) -> changes.forEach(this::changed);
      case ListenerGone(var listener, var identity) -> listenerGone(listener, identity);
      case Retry(var identity) -> {
        Known known = tunnels.get(identity);
        if (known != null && known.phase == Phase.BLOCKED) {
          bind(known);
        }
      }
    }
    return Behaviors.same();
  }

  private List<View> list(String cluster) {
    return tunnels.entrySet().stream()
        .filter(entry -> entry.getKey().cluster().equals(cluster))
        .sorted(Comparator.comparing(entry -> entry.getKey().tunnelId()))
        .map(entry -> entry.getValue().view())
        .toList();
  }

  // --- the table ---

  private void changed(TableChange change) {
    switch (change) {
      case TableChange.Held(var tunnel, long revision) -> {
        var identity = tunnel.identity();
        if (!isOld(identity, revision)) {
          decode(tunnel)
              .ifPresent(registration -> {
                Known known = hold(tunnel, registration, revision);
                if (known.needsPort()) {
                  listen(known);
                  // One that listens already, because it was told before, has nothing to wait for.
                  if (!tableComplete && known.phase == Phase.BINDING) {
                    restoring.add(identity);
                  }
                } else {
                  unbind(known, () -> {});
                }
              });
        }
      }
      case TableChange.Released(var identity, long revision) -> end(identity, revision, () -> {});
      case TableChange.Whole whole ->
          tunnels.values().stream()
              .filter(known -> whole.ends(known.tunnel, known.revision))
              .toList()
              .forEach(known -> end(known.tunnel.identity(), known.revision, () -> {}));
      case TableChange.Complete() -> {
        tableComplete = true;
        restored(null);
      }
    }
  }

  /// Whether as much is known of the tunnel as of this revision.
  private boolean isOld(TunnelIdentity identity, long revision) {
    Known known = tunnels.get(identity);
    End end = ended.get(identity);
    return (known != null && known.revision >= revision)
        || (end != null && end.revision() >= revision);
  }

  private Known hold(TunnelRecord tunnel, TunnelRegistration registration, long revision) {
    if (tableComplete && !tunnels.containsKey(tunnel.identity())) {
      happened("tunnel_registered", "new", tunnel.identity(), "");
    }
    Known known = tunnels.computeIfAbsent(tunnel.identity(), _ -> new Known(tunnel, registration));
    if (known.phase != Phase.IDLE && !port(known).equals(port(tunnel))) {
      unbind(known, () -> {});
    }
    if (known.counted) {
      count(known.tunnel, setup.leaseMeters()::notHeld);
    }
    known.counted = true;
    count(tunnel, setup.leaseMeters()::held);
    known.tunnel = tunnel;
    known.registration = registration;
    known.revision = revision;
    setup.shared().links().tunnelRegistered(tunnel.identity().cluster());
    return known;
  }

  private void end(TunnelIdentity identity, long revision, Runnable then) {
    if (forget(identity, revision, then)) {
      log.atInfo()
          .addKeyValue("cluster", identity.cluster())
          .addKeyValue("tunnel", identity.tunnelId())
          .log("a tunnel was deregistered");
    }
  }

  /// Forgets a tunnel, if what is known of it is not newer; returns whether it was known.
  ///
  /// @param then runs when nobody listens
  private boolean forget(TunnelIdentity identity, long revision, Runnable then) {
    Known known = tunnels.get(identity);
    if (known != null && known.revision > revision) {
      then.run();
      return false;
    }
    if (!open.isEmpty()) {
      ended.merge(
          identity,
          new End(revision, asked),
          (one, other) -> one.revision() > other.revision() ? one : other);
    }
    tunnels.remove(identity);
    if (known == null) {
      then.run();
      return false;
    }
    count(known.tunnel, setup.leaseMeters()::notHeld);
    happened("tunnel_ended", "released", identity, "");
    setup.shared().meters().live().streams().forget(identity.cluster(), identity.tunnelId());
    unbind(known, then);
    return true;
  }

  private void happened(String kind, String reason, TunnelIdentity identity, String detail) {
    setup
        .shared()
        .meters()
        .live()
        .events()
        .addPaced(
            kind,
            reason,
            Map.of("cluster", identity.cluster(), "tunnel", identity.tunnelId(), "detail", detail));
  }

  private static void count(TunnelRecord tunnel, Consumer<Transport> meter) {
    if (tunnel.lease() != null) {
      meter.accept(tunnel.transport());
    }
  }

  /// Goes on in this actor once the authority has answered.
  private <T> void once(CompletionStage<T> answered, Function<Away, T> failed, Consumer<T> then) {
    long question = ++asked;
    open.add(question);
    context.pipeToSelf(
        answered,
        (answer, defect) -> {
          if (defect != null) {
            log.error("the leases failed", defect);
          }
          return new Answered(() -> {
            then.accept(answer == null ? failed.apply(DEFECT) : answer);
            answered(question);
          });
        });
  }

  private void answered(long question) {
    open.remove(question);
    if (open.isEmpty()) {
      ended.clear();
    } else {
      long oldest = open.first();
      ended.values().removeIf(end -> end.asked() < oldest);
    }
  }

  // --- registrations ---

  private void register(
      TunnelIdentity identity,
      TunnelRegistration registration,
      Origin origin,
      Consumer<Answer> waiter) {
    once(
        setup.leases().leaseAll(List.of(request(identity, registration, origin))),
        away -> List.of(new LeaseAuthority.Answer.Unavailable(away)),
        answers -> settle(registration, answers.getFirst(), waiter));
  }

  private void sync(Sync sync) {
    var missing = missing(sync);
    if (missing.isEmpty()) {
      leaseAll(sync);
      return;
    }
    once(
        setup.leases().releaseUnnamed(missing, setup.syncGrace()),
        LeaseAuthority.Release.Unavailable::new,
        release -> {
          switch (release) {
            case LeaseAuthority.Release.Done(var revisions) -> {
              revisions.forEach(this::endMissing);
              leaseAll(sync);
            }
            case LeaseAuthority.Release.Unavailable(var away) ->
                sync.replyTo().tell(new Synced.Unavailable(away.text(), away.retryAfter()));
          }
        });
  }

  private void leaseAll(Sync sync) {
    var registrations = new ArrayList<TunnelRegistration>();
    var requests = new ArrayList<LeaseRequest>();
    for (TunnelRegistration entry : sync.tunnels()) {
      var identity = new TunnelIdentity(sync.cluster(), entry.tunnelId());
      Known known = tunnels.get(identity);
      var whole = known == null ? entry : entry.keeping(known.registration);
      registrations.add(whole);
      requests.add(request(identity, whole, Origin.SYNC));
    }
    once(
        setup.leases().leaseAll(requests),
        away ->
            requests.stream()
                .<LeaseAuthority.Answer>map(_ -> new LeaseAuthority.Answer.Unavailable(away))
                .toList(),
        results -> {
          var away = allAway(results);
          if (away.isPresent()) {
            sync.replyTo().tell(new Synced.Unavailable(away.get().text(), away.get().retryAfter()));
            return;
          }
          var answers = new Settling(sync);
          for (int i = 0; i < results.size(); i++) {
            settle(registrations.get(i), results.get(i), answers.at(i));
          }
          answers.allAsked();
        });
  }

  /// Why none of some requests was decided on; empty when one was, or when there are none.
  private static Optional<Away> allAway(List<LeaseAuthority.Answer> answers) {
    Away first = null;
    for (LeaseAuthority.Answer answer : answers) {
      if (!(answer instanceof LeaseAuthority.Answer.Unavailable(var away))) {
        return Optional.empty();
      }
      first = first == null ? away : first;
    }
    return Optional.ofNullable(first);
  }

  private static Answer unavailable(Away away) {
    return new Answer.Unavailable(away.text(), away.retryAfter());
  }

  /// Answers a sync once each of its tunnels has an answer.
  private static final class Settling {
    private final ActorRef<Synced> replyTo;
    private final Answer[] answers;
    private int left;

    Settling(Sync sync) {
      replyTo = sync.replyTo();
      answers = new Answer[sync.tunnels().size()];
      // One more than there are tunnels, so that nobody is answered before all were asked for.
      left = answers.length + 1;
    }

    Consumer<Answer> at(int index) {
      return answer -> {
        answers[index] = answer;
        settled();
      };
    }

    void allAsked() {
      settled();
    }

    private void settled() {
      if (--left == 0) {
        replyTo.tell(new Synced.Done(List.of(answers)));
      }
    }
  }

  private List<TunnelIdentity> missing(Sync sync) {
    Set<String> named = sync.named();
    if (named == null) {
      return List.of();
    }
    long now = System.nanoTime();
    var missing = new ArrayList<TunnelIdentity>();
    tunnels.forEach((identity, known) -> {
      if (!identity.cluster().equals(sync.cluster())) {
        return;
      }
      if (named.contains(identity.tunnelId())) {
        known.namedAt = now;
      } else if (known.tunnel.origin() == Origin.SYNC
          && now - known.namedAt >= setup.syncGrace().toNanos()) {
        missing.add(identity);
      }
    });
    return missing;
  }

  private void endMissing(TunnelIdentity identity, long revision) {
    forget(identity, revision, () -> {});
    setup.shared().meters().tunnelMissing();
    log.atInfo()
        .addKeyValue("cluster", identity.cluster())
        .addKeyValue("tunnel", identity.tunnelId())
        .log("a tunnel was deregistered: syncs no longer name it");
  }

  private LeaseRequest request(
      TunnelIdentity identity, TunnelRegistration registration, Origin origin) {
    var transport =
        switch (registration.protocol()) {
          case TCP -> Transport.TCP;
          case UDP -> Transport.UDP;
        };
    return new LeaseRequest(identity, transport, wish(registration), origin, registration.encode());
  }

  private static PortWish wish(TunnelRegistration registration) {
    if (registration.routingMode() == RoutingMode.DIRECT) {
      return new PortWish.None();
    }
    Integer wanted = registration.tunnelPort();
    return wanted == null
        ? new PortWish.Near(registration.gatewayPort())
        : new PortWish.Exactly(wanted);
  }

  private void settle(
      TunnelRegistration registration, LeaseAuthority.Answer answer, Consumer<Answer> waiter) {
    switch (answer) {
      case LeaseAuthority.Answer.Unavailable(var away) -> waiter.accept(unavailable(away));
      case LeaseAuthority.Answer.Decided(var result, var fresh, long revision) -> {
        switch (result) {
          case LeaseResult.Conflict(var text) -> waiter.accept(new Answer.Conflict(text));
          case LeaseResult.OverQuota(var text) -> waiter.accept(new Answer.OverQuota(text));
          case LeaseResult.Exhausted(var text) ->
              waiter.accept(new Answer.Unavailable(text, MUCH_LATER));
          case LeaseResult.Granted(var tunnel, _) ->
              granted(fresh, tunnel, registration, revision, waiter);
        }
      }
    }
  }

  private void granted(
      LeaseAuthority.@Nullable Fresh fresh,
      TunnelRecord tunnel,
      TunnelRegistration registration,
      long revision,
      Consumer<Answer> waiter) {
    End end = ended.get(tunnel.identity());
    if (end != null && end.revision() >= revision) {
      waiter.accept(CHANGED);
      return;
    }
    Known latest = tunnels.get(tunnel.identity());
    Known known =
        latest != null && latest.revision >= revision
            ? latest
            : hold(tunnel, registration, revision);
    known.namedAt = System.nanoTime();
    if (!known.needsPort()) {
      unbind(known, () -> {});
      waiter.accept(new Answer.Registered(known.view()));
      return;
    }
    if (fresh != null && known.phase != Phase.LISTENING && tunnel.equals(known.tunnel)) {
      known.exchangeable = true;
      known.before = fresh.before();
    }
    if (known.phase == Phase.BLOCKED && known.exchangeable) {
      // The table told of the grant before the answer came, and the port could not be bound.
      timers.cancel(tunnel.identity());
      blocked(known, 0);
      known.phase = Phase.IDLE;
    }
    listen(known);
    switch (known.phase) {
      case LISTENING -> waiter.accept(new Answer.Registered(known.view()));
      case IDLE, BINDING -> known.waiting.add(waiter);
      case BLOCKED -> waiter.accept(blocked(known));
    }
  }

  private void deregister(TunnelIdentity identity, ActorRef<Deregistered> replyTo) {
    once(
        setup.leases().releaseAll(List.of(identity)),
        LeaseAuthority.Release.Unavailable::new,
        release -> {
          switch (release) {
            case LeaseAuthority.Release.Done(var revisions) ->
                end(
                    identity,
                    revisions.getOrDefault(identity, 0L),
                    () -> replyTo.tell(new Deregistered.Done()));
            case LeaseAuthority.Release.Unavailable(var away) ->
                replyTo.tell(new Deregistered.Unavailable(away.text(), away.retryAfter()));
          }
        });
  }

  // --- listeners ---

  private static Port port(Known known) {
    return port(known.tunnel);
  }

  private static Port port(TunnelRecord tunnel) {
    Lease lease = tunnel.lease();
    return new Port(tunnel.transport(), lease == null ? 0 : lease.port());
  }

  /// Begins to listen, or tells the listener what has changed.
  private void listen(Known known) {
    ActorRef<Tunnel.Command> listener = known.listener;
    if (listener != null) {
      listener.tell(new Tunnel.Update(service(known)));
    }
    if (known.phase == Phase.IDLE) {
      bind(known);
    }
  }

  private void bind(Known known) {
    known.phase = Phase.BINDING;
    if (closingAt.containsKey(port(known))) {
      waitingForPort
          .computeIfAbsent(port(known), _ -> new LinkedHashSet<>())
          .add(known.tunnel.identity());
      return;
    }
    known.listener = listener(known);
  }

  private ActorRef<Tunnel.Command> listener(Known known) {
    Loop loop = setup.shared().loops().next();
    var address = new InetSocketAddress(setup.bind(), port(known).number());
    ActorRef<Tunnel.Command> listener =
        context.spawnAnonymous(
            switch (known.tunnel.transport()) {
              case TCP ->
                  Tunnel.create(setup.shared(), loop, address, service(known), boundAdapter);
              case UDP ->
                  UdpTunnel.create(setup.udp(), loop, address, service(known), boundAdapter);
            },
            DispatcherSelector.fromConfig(loop.dispatcher()));
    context.watchWith(listener, new ListenerGone(listener, known.tunnel.identity()));
    return listener;
  }

  /// One that is still the tunnel's listener ended without a word: by a fault of ours.
  private void listenerGone(ActorRef<Tunnel.Command> listener, TunnelIdentity identity) {
    closed(listener);
    Known known = tunnels.get(identity);
    if (known != null && listener.equals(known.listener)) {
      setup.shared().meters().tunnelCrashed();
      failed(
          new Tunnel.Bound.Failed(
              listener, identity, Tunnel.Obstacle.SYSTEM, "its listener ended by a fault"));
    }
  }

  private static Service service(Known known) {
    var registration = known.registration;
    return new Service(
        known.tunnel.identity(),
        registration.serviceName(),
        registration.serviceNamespace(),
        registration.servicePort(),
        registration.gatewayPort(),
        access(known.tunnel.identity(), registration));
  }

  /// Registrations are checked before they come here, but what is stored may be older than a check:
  /// rules that cannot be read let nobody in until the agent registers again.
  private static AccessRules access(TunnelIdentity identity, TunnelRegistration registration) {
    try {
      return AccessRules.of(registration.annotations());
    } catch (MalformedMessage e) {
      log.atError()
          .addKeyValue("cluster", identity.cluster())
          .addKeyValue("tunnel", identity.tunnelId())
          .addKeyValue("cause", e.getMessage())
          .log("the access rules of a tunnel cannot be read; nobody may connect to it");
      return AccessRules.NOBODY;
    }
  }

  /// Ends the listener, if there is one; `then` runs when its port is free.
  private void unbind(Known known, Runnable then) {
    blocked(known, 0);
    known.phase = Phase.IDLE;
    known.exchangeable = false;
    timers.cancel(known.tunnel.identity());
    Set<TunnelIdentity> waiting = waitingForPort.get(port(known));
    if (waiting != null) {
      waiting.remove(known.tunnel.identity());
    }
    answer(known, CHANGED);
    ActorRef<Tunnel.Command> listener = known.listener;
    if (listener == null) {
      then.run();
    } else {
      known.listener = null;
      closing.put(listener, new Closing(port(known), then));
      closingAt.merge(port(known), 1, Integer::sum);
      listener.tell(new Tunnel.End());
    }
    restored(known.tunnel.identity());
  }

  /// A listener has let go of its port. One that was told to end when it had just failed says only
  /// that, so this is called for every sign of its end.
  private void closed(ActorRef<Tunnel.Command> listener) {
    Closing ended = closing.remove(listener);
    if (ended == null) {
      return;
    }
    ended.then().run();
    Port port = ended.port();
    if (closingAt.merge(port, -1, (count, one) -> count + one == 0 ? null : count + one) != null) {
      return;
    }
    Set<TunnelIdentity> waiting = waitingForPort.remove(port);
    for (TunnelIdentity next : waiting == null ? Set.<TunnelIdentity>of() : waiting) {
      Known known = tunnels.get(next);
      if (known != null
          && known.phase == Phase.BINDING
          && known.listener == null
          && port(known).equals(port)) {
        bind(known);
      }
    }
  }

  private void listens(ActorRef<Tunnel.Command> listener, TunnelIdentity identity) {
    Known known = tunnels.get(identity);
    if (known == null || !listener.equals(known.listener)) {
      return;
    }
    if (known.failures > 0) {
      log.atInfo()
          .addKeyValue("cluster", identity.cluster())
          .addKeyValue("tunnel", identity.tunnelId())
          .addKeyValue("port", port(known).number())
          .log("a public port is free again and was bound");
    }
    blocked(known, 0);
    known.phase = Phase.LISTENING;
    known.exchangeable = false;
    answer(known, new Answer.Registered(known.view()));
    log.atDebug()
        .addKeyValue("cluster", identity.cluster())
        .addKeyValue("tunnel", identity.tunnelId())
        .addKeyValue("port", port(known).number())
        .log("a tunnel listens");
    restored(identity);
  }

  private void failed(Tunnel.Bound.Failed failed) {
    closed(failed.tunnel());
    var identity = failed.identity();
    Known known = tunnels.get(identity);
    if (known == null || !failed.tunnel().equals(known.listener)) {
      return;
    }
    known.listener = null;
    boolean passedOver =
        known.exchangeable
            && failed.obstacle() == Tunnel.Obstacle.IN_USE
            && !isOfAnotherTunnel(port(known), identity);
    if (known.failures == 0) {
      log.atLevel(passedOver ? Level.DEBUG : Level.WARN)
          .addKeyValue("cluster", identity.cluster())
          .addKeyValue("tunnel", identity.tunnelId())
          .addKeyValue("cause", failed.why())
          .log("a public port could not be bound");
    }
    if (passedOver) {
      exchange(known, port(known).number());
    } else {
      retryLater(known, failed.why());
      answer(known, blocked(known));
    }
    restored(identity);
  }

  /// Whether this node still listens there for a tunnel of whose end it has not heard: no program
  /// of others is in the way then, and the port is free soon.
  private boolean isOfAnotherTunnel(Port port, TunnelIdentity identity) {
    return tunnels.values().stream()
        .anyMatch(other ->
            other.listener != null
                && port(other).equals(port)
                && !other.tunnel.identity().equals(identity));
  }

  private void retryLater(Known known, String why) {
    var identity = known.tunnel.identity();
    blocked(known, known.failures + 1);
    known.phase = Phase.BLOCKED;
    known.exchangeable = false;
    known.obstacle = why;
    if (known.failures == 1) {
      happened("port_blocked", "not_bound", identity, why);
    }
    timers.startSingleTimer(identity, new Retry(identity), BindBackoff.after(known.failures));
  }

  /// Another program has a port that was just granted: a tunnel that asked for this one is told so,
  /// any other gets the next one. Where the grant cannot be taken back, the tunnel keeps it.
  private void exchange(Known known, int port) {
    var identity = known.tunnel.identity();
    var registration = known.registration;
    var origin = known.tunnel.origin();
    var waiting = List.copyOf(known.waiting);
    known.waiting.clear();
    var before = known.before;
    known.phase = Phase.IDLE;
    known.exchangeable = false;
    once(
        setup.leases().refusedBySystem(known.tunnel, before),
        LeaseAuthority.Release.Unavailable::new,
        release -> {
          switch (release) {
            case LeaseAuthority.Release.Unavailable(var away) -> {
              Known kept = tunnels.get(identity);
              if (kept != null && kept.phase == Phase.IDLE && kept.needsPort()) {
                retryLater(kept, "another program has it");
              }
              waiting.forEach(waiter -> waiter.accept(unavailable(away)));
            }
            case LeaseAuthority.Release.Done(var revisions) -> {
              goBack(identity, before, revisions.getOrDefault(identity, 0L));
              refused(identity, registration, origin, port, waiting);
            }
          }
        });
  }

  private void refused(
      TunnelIdentity identity,
      TunnelRegistration registration,
      Origin origin,
      int port,
      List<Consumer<Answer>> waiting) {
    for (Consumer<Answer> waiter : waiting) {
      if (registration.tunnelPort() != null) {
        waiter.accept(
            new Answer.Conflict(
                "public port: " + port + " is in use on the gateway (expected: a free port)"));
      } else {
        register(identity, registration, origin, waiter);
      }
    }
  }

  private void goBack(TunnelIdentity identity, @Nullable TunnelRecord before, long revision) {
    Known known = tunnels.get(identity);
    if (known == null || known.revision > revision) {
      return;
    }
    var earlier = before == null ? Optional.<TunnelRegistration>empty() : decode(before);
    if (before == null || earlier.isEmpty()) {
      forget(identity, revision, () -> {});
    } else {
      unbind(known, () -> {});
      hold(before, earlier.get(), revision);
    }
  }

  private static void answer(Known known, Answer answer) {
    var waiting = List.copyOf(known.waiting);
    known.waiting.clear();
    waiting.forEach(waiter -> waiter.accept(answer));
  }

  private static Answer blocked(Known known) {
    return new Answer.Unavailable(
        "public port: "
            + port(known).number()
            + " cannot be bound on the gateway ("
            + known.obstacle
            + "); it is kept for the tunnel and bound as soon as it can be",
        LATER);
  }

  private void blocked(Known known, int failures) {
    if (known.failures == 0 && failures > 0) {
      setup.shared().meters().tunnelBlocked();
    } else if (known.failures > 0 && failures == 0) {
      setup.shared().meters().tunnelUnblocked();
    }
    known.failures = failures;
  }
}
