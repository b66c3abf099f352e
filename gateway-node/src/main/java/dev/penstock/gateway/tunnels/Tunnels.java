package dev.penstock.gateway.tunnels;

import dev.penstock.access.AccessRules;
import dev.penstock.gateway.leases.Lease;
import dev.penstock.gateway.leases.LeaseRequest;
import dev.penstock.gateway.leases.LeaseResult;
import dev.penstock.gateway.leases.Leases;
import dev.penstock.gateway.leases.PortWish;
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
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
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

/// All tunnels of this node: what they were registered with, their leases, their listeners. Writes
/// to the disk, so it runs on a dispatcher for blocking work.
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

  private record Bound(Tunnel.Bound bound) implements Command {}

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
    record Unavailable(String text) implements Answer {}
  }

  /// The answer to [Sync], once everything is bound or refused: one for each tunnel, in the same
  /// order.
  public record Synced(List<Answer> answers) {}

  /// The answer to [Deregister].
  public enum Deregistered {
    /// Nobody listens any more.
    DONE,
    /// It could not be written down; the tunnel is still there.
    FAILED
  }

  /// The answer to [ListAll], in the order of their ids.
  public record Listed(List<View> tunnels) {}

  /// A tunnel as others see it.
  ///
  /// @param port null when its clients do not come to the gateway
  public record View(
      TunnelRegistration registration, @Nullable Integer port, RegisteredTunnel.State state) {}

  /// What the tunnels are made of.
  ///
  /// @param bind the address that public ports are bound at
  /// @param syncGrace how long a tunnel lasts that syncs no longer name
  /// @param ready runs once all leases of the last run are bound again or are known to be blocked
  public record Setup(
      Tunnel.Shared shared,
      UdpTunnel.Shared udp,
      Leases leases,
      String bind,
      Duration syncGrace,
      Runnable ready) {}

  private static final Logger log = LoggerFactory.getLogger(Tunnels.class);
  private static final String NOT_WRITTEN =
      "the registration could not be written down; try again later";

  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final Setup setup;
  private final ActorRef<Tunnel.Bound> boundAdapter;
  private final Map<TunnelIdentity, Known> tunnels = new HashMap<>();
  private final Set<TunnelIdentity> restoring = new HashSet<>();

  /// Ports whose listener is about to be closed, and what is to happen then.
  private final Map<Port, List<Runnable>> closing = new HashMap<>();

  private record Port(Transport transport, int number) {}

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
    Phase phase = Phase.IDLE;
    @Nullable ActorRef<Tunnel.Command> listener;

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
      Lease lease = tunnel.lease();
      return new View(
          registration,
          needsPort() && lease != null ? lease.port() : null,
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
          tunnels.restore();
          return Behaviors.receiveMessage(tunnels::on);
        }));
  }

  private void restore() {
    var found = new ArrayList<Known>();
    for (TunnelRecord tunnel : setup.leases().tunnels()) {
      decode(tunnel)
          .ifPresent(registration -> {
            var known = new Known(tunnel, registration);
            tunnels.put(tunnel.identity(), known);
            if (known.needsPort()) {
              found.add(known);
              restoring.add(tunnel.identity());
            }
          });
    }
    found.forEach(this::bind);
    restored(null);
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
    if (restoring.isEmpty() && (waited || identity == null)) {
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
      case Bound(Tunnel.Bound.Listens(var listener, var identity, _)) ->
          listens(listener, identity);
      case Bound(Tunnel.Bound.Failed failed) -> failed(failed);
      case Bound(Tunnel.Bound.Closed(_, _, var transport, int port)) ->
          closed(new Port(transport, port));
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

  // --- registrations ---

  private void register(
      TunnelIdentity identity,
      TunnelRegistration registration,
      Origin origin,
      Consumer<Answer> waiter) {
    var before = setup.leases().of(identity).orElse(null);
    try {
      settle(
          before,
          registration,
          setup.leases().lease(request(identity, registration, origin)),
          waiter);
    } catch (IOException e) {
      notWritten(e);
      waiter.accept(new Answer.Unavailable(NOT_WRITTEN));
    }
  }

  private void sync(Sync sync) {
    var registrations = new ArrayList<TunnelRegistration>();
    var before = new ArrayList<@Nullable TunnelRecord>();
    var requests = new ArrayList<LeaseRequest>();
    var answers = new Settling(sync);
    try {
      deregisterMissing(sync);
      for (TunnelRegistration entry : sync.tunnels()) {
        var identity = new TunnelIdentity(sync.cluster(), entry.tunnelId());
        Known known = tunnels.get(identity);
        var whole = known == null ? entry : entry.keeping(known.registration);
        registrations.add(whole);
        before.add(setup.leases().of(identity).orElse(null));
        requests.add(request(identity, whole, Origin.SYNC));
      }
      List<LeaseResult> results = setup.leases().leaseAll(requests);
      for (int i = 0; i < results.size(); i++) {
        settle(before.get(i), registrations.get(i), results.get(i), answers.at(i));
      }
    } catch (IOException e) {
      notWritten(e);
      for (int i = 0; i < sync.tunnels().size(); i++) {
        answers.at(i).accept(new Answer.Unavailable(NOT_WRITTEN));
      }
    }
    answers.allAsked();
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
        replyTo.tell(new Synced(List.of(answers)));
      }
    }
  }

  private void deregisterMissing(Sync sync) throws IOException {
    Set<String> named = sync.named();
    if (named == null) {
      return;
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
    release(missing);
    for (TunnelIdentity identity : missing) {
      setup.shared().meters().tunnelMissing();
      log.atInfo()
          .addKeyValue("cluster", identity.cluster())
          .addKeyValue("tunnel", identity.tunnelId())
          .log("a tunnel was deregistered: syncs no longer name it");
    }
  }

  private LeaseRequest request(
      TunnelIdentity identity, TunnelRegistration registration, Origin origin) {
    var transport =
        switch (registration.protocol()) {
          case TCP -> Transport.TCP;
          case UDP -> Transport.UDP;
        };
    return new LeaseRequest(
        identity, transport, wish(transport, registration), origin, registration.encode());
  }

  private PortWish wish(Transport transport, TunnelRegistration registration) {
    if (registration.routingMode() == RoutingMode.DIRECT) {
      return new PortWish.None();
    }
    Integer wanted = registration.tunnelPort();
    if (wanted == null) {
      return new PortWish.Near(registration.gatewayPort());
    }
    // Another program may have had it once: the system is asked again.
    setup.leases().markBindable(transport, wanted);
    return new PortWish.Exactly(wanted);
  }

  private void settle(
      @Nullable TunnelRecord before,
      TunnelRegistration registration,
      LeaseResult result,
      Consumer<Answer> waiter) {
    switch (result) {
      case LeaseResult.Conflict(var text) -> waiter.accept(new Answer.Conflict(text));
      case LeaseResult.OverQuota(var text) -> waiter.accept(new Answer.OverQuota(text));
      case LeaseResult.Exhausted(var text) -> waiter.accept(new Answer.Unavailable(text));
      case LeaseResult.Granted(var tunnel, _) -> granted(before, tunnel, registration, waiter);
    }
  }

  private void granted(
      @Nullable TunnelRecord before,
      TunnelRecord tunnel,
      TunnelRegistration registration,
      Consumer<Answer> waiter) {
    Known known = tunnels.computeIfAbsent(tunnel.identity(), _ -> new Known(tunnel, registration));
    known.tunnel = tunnel;
    known.registration = registration;
    known.namedAt = System.nanoTime();
    setup.shared().links().tunnelRegistered(tunnel.identity().cluster());
    if (tunnel.lease() != null && (before == null || before.lease() == null)) {
      known.exchangeable = true;
      known.before = before;
    }
    if (!known.needsPort()) {
      unbind(known, () -> {});
      waiter.accept(new Answer.Registered(known.view()));
      return;
    }
    ActorRef<Tunnel.Command> listener = known.listener;
    if (listener != null) {
      listener.tell(new Tunnel.Update(service(known)));
    }
    switch (known.phase) {
      case LISTENING -> waiter.accept(new Answer.Registered(known.view()));
      case BINDING -> known.waiting.add(waiter);
      case BLOCKED -> waiter.accept(blocked(known));
      case IDLE -> {
        known.waiting.add(waiter);
        bind(known);
      }
    }
  }

  private void deregister(TunnelIdentity identity, ActorRef<Deregistered> replyTo) {
    Known known = tunnels.get(identity);
    try {
      setup.leases().releaseAll(List.of(identity));
    } catch (IOException e) {
      notWritten(e);
      replyTo.tell(Deregistered.FAILED);
      return;
    }
    tunnels.remove(identity);
    if (known == null) {
      replyTo.tell(Deregistered.DONE);
      return;
    }
    unbind(known, () -> replyTo.tell(Deregistered.DONE));
    log.atInfo()
        .addKeyValue("cluster", identity.cluster())
        .addKeyValue("tunnel", identity.tunnelId())
        .log("a tunnel was deregistered");
  }

  private void release(Collection<TunnelIdentity> identities) throws IOException {
    setup.leases().releaseAll(identities);
    for (TunnelIdentity identity : identities) {
      Known known = tunnels.remove(identity);
      if (known != null) {
        unbind(known, () -> {});
      }
    }
  }

  private static void notWritten(IOException why) {
    log.atError()
        .addKeyValue("cause", why.getMessage())
        .log("a registration could not be written down");
  }

  // --- listeners ---

  private static Port port(Known known) {
    Lease lease = known.tunnel.lease();
    return new Port(known.tunnel.transport(), lease == null ? 0 : lease.port());
  }

  private void bind(Known known) {
    known.phase = Phase.BINDING;
    if (closing.containsKey(port(known))) {
      return; // bound once the listener before it is closed
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
    answer(known, new Answer.Unavailable("the tunnel was changed meanwhile; register it again"));
    ActorRef<Tunnel.Command> listener = known.listener;
    if (listener == null) {
      then.run();
    } else {
      known.listener = null;
      closing.computeIfAbsent(port(known), _ -> new ArrayList<>()).add(then);
      listener.tell(new Tunnel.End());
    }
    restored(known.tunnel.identity());
  }

  private void closed(Port port) {
    List<Runnable> then = closing.remove(port);
    if (then != null) {
      then.forEach(Runnable::run);
    }
    setup
        .leases()
        .at(port.transport(), port.number())
        .map(tunnel -> tunnels.get(tunnel.identity()))
        .filter(known -> known.phase == Phase.BINDING && known.listener == null)
        .ifPresent(this::bind);
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
    var identity = failed.identity();
    Known known = tunnels.get(identity);
    if (known == null || !failed.tunnel().equals(known.listener)) {
      return;
    }
    known.listener = null;
    boolean passedOver = known.exchangeable && failed.obstacle() == Tunnel.Obstacle.IN_USE;
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
      blocked(known, known.failures + 1);
      known.phase = Phase.BLOCKED;
      known.exchangeable = false;
      known.obstacle = failed.why();
      timers.startSingleTimer(identity, new Retry(identity), BindBackoff.after(known.failures));
      answer(known, blocked(known));
    }
    restored(identity);
  }

  /// Another program has a port that was just granted: a tunnel that asked for this one is told so,
  /// any other gets the next one.
  private void exchange(Known known, int port) {
    var identity = known.tunnel.identity();
    var registration = known.registration;
    var origin = known.tunnel.origin();
    var waiting = List.copyOf(known.waiting);
    known.waiting.clear();
    try {
      var before = known.before;
      setup.leases().refusedBySystem(known.tunnel, before);
      goBack(known, before);
    } catch (IOException e) {
      notWritten(e);
      known.phase = Phase.IDLE;
      waiting.forEach(waiter -> waiter.accept(new Answer.Unavailable(NOT_WRITTEN)));
      return;
    }
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

  private void goBack(Known known, @Nullable TunnelRecord before) {
    var earlier = before == null ? Optional.<TunnelRegistration>empty() : decode(before);
    if (before == null || earlier.isEmpty()) {
      tunnels.remove(known.tunnel.identity());
    } else {
      known.tunnel = before;
      known.registration = earlier.get();
      known.phase = Phase.IDLE;
      known.exchangeable = false;
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
            + "); it is kept for the tunnel and bound as soon as it can be");
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
