package dev.penstock.gateway.tunnels;

import dev.penstock.access.AccessRules;
import dev.penstock.gateway.leases.Lease;
import dev.penstock.gateway.leases.LeaseRequest;
import dev.penstock.gateway.leases.LeaseResult;
import dev.penstock.gateway.leases.Leases;
import dev.penstock.gateway.leases.Transport;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.links.Service;
import dev.penstock.protocol.control.MalformedMessage;
import dev.penstock.protocol.control.TunnelRegistration;
import dev.penstock.protocol.net.Loop;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// All tunnels of this node: gives each its lease and its actor. Writes leases to disk, so it runs
/// on a dispatcher for blocking work.
public final class Tunnels {
  /// What this actor is told.
  public sealed interface Command {}

  /// Registers a tunnel; the same registration again has the same answer.
  public record Register(String cluster, TunnelRegistration registration, ActorRef<Answer> replyTo)
      implements Command {}

  private record Bound(Tunnel.Bound bound) implements Command {}

  /// The answer to [Register].
  public sealed interface Answer {
    /// The port is bound.
    record Registered(int port) implements Answer {}

    /// The port that was asked for cannot be had.
    record Conflict(String text) implements Answer {}

    /// No port is left, or the lease could not be written down.
    record Unavailable(String text) implements Answer {}
  }

  /// What the tunnels are made of.
  ///
  /// @param bind the address that public ports are bound at
  /// @param ready runs once all leases of the last run are bound again
  public record Setup(Tunnel.Shared shared, Leases leases, String bind, Runnable ready) {}

  private static final Logger log = LoggerFactory.getLogger(Tunnels.class);

  private final ActorContext<Command> context;
  private final Setup setup;
  private final ActorRef<Tunnel.Bound> boundAdapter;
  private final Map<TunnelIdentity, Running> tunnels = new HashMap<>();
  private final Set<TunnelIdentity> restoring = new HashSet<>();

  /// A tunnel and who waits for its port.
  private static final class Running {
    final Lease lease;
    final ActorRef<Tunnel.Command> actor;
    final TunnelRegistration registration;
    final List<ActorRef<Answer>> waiting = new ArrayList<>();
    boolean bound;

    Running(Lease lease, ActorRef<Tunnel.Command> actor, TunnelRegistration registration) {
      this.lease = lease;
      this.actor = actor;
      this.registration = registration;
    }
  }

  private Tunnels(ActorContext<Command> context, Setup setup) {
    this.context = context;
    this.setup = setup;
    this.boundAdapter = context.messageAdapter(Tunnel.Bound.class, Bound::new);
  }

  public static Behavior<Command> create(Setup setup) {
    return Behaviors.setup(context -> {
      var tunnels = new Tunnels(context, setup);
      tunnels.restore();
      return Behaviors.receiveMessage(tunnels::on);
    });
  }

  private void restore() {
    for (Lease lease : setup.leases().leases()) {
      try {
        var registration = TunnelRegistration.decode(lease.registration());
        restoring.add(lease.identity());
        run(lease, registration);
      } catch (MalformedMessage e) {
        log.atError()
            .addKeyValue("tunnel", lease.identity().tunnelId())
            .addKeyValue("cause", e.getMessage())
            .log(
                "a stored registration cannot be read; its port stays leased until its agent registers again");
      }
    }
    restored(null);
  }

  private void restored(@Nullable TunnelIdentity identity) {
    boolean waited = restoring.remove(identity);
    if (restoring.isEmpty() && (waited || identity == null)) {
      setup.ready().run();
    }
  }

  private Behavior<Command> on(Command command) {
    switch (command) {
      case Register register -> register(register);
      case Bound(Tunnel.Bound.Listens(var identity, _)) -> listens(identity);
      case Bound(Tunnel.Bound.Failed(var identity, int port, var why)) ->
          failed(identity, port, why);
    }
    return Behaviors.same();
  }

  private void register(Register register) {
    var identity = new TunnelIdentity(register.cluster(), register.registration().tunnelId());
    try {
      answer(identity, register.registration(), register.replyTo());
    } catch (IOException e) {
      log.atError().addKeyValue("cause", e.getMessage()).log("a lease could not be written down");
      register
          .replyTo()
          .tell(new Answer.Unavailable("the lease could not be written down; try again later"));
    }
  }

  private void answer(
      TunnelIdentity identity, TunnelRegistration registration, ActorRef<Answer> replyTo)
      throws IOException {
    Integer wanted = registration.tunnelPort();
    if (wanted != null) {
      // Another program may have had it once: the system is asked again.
      setup.leases().markBindable(Transport.TCP, wanted);
    }
    var request =
        new LeaseRequest(
            identity,
            Transport.TCP,
            registration.gatewayPort(),
            wanted == null ? OptionalInt.empty() : OptionalInt.of(wanted),
            registration.encode());
    switch (setup.leases().lease(request)) {
      case LeaseResult.Conflict(var text) -> replyTo.tell(new Answer.Conflict(text));
      case LeaseResult.Exhausted(var text) -> replyTo.tell(new Answer.Unavailable(text));
      case LeaseResult.Granted(var lease, _) -> {
        setup.shared().links().tunnelRegistered(identity.cluster());
        Running running = tunnels.get(identity);
        if (running != null && running.lease.port() == lease.port()) {
          running.actor.tell(new Tunnel.Update(service(lease, registration)));
        } else {
          if (running != null) {
            context.stop(running.actor);
          }
          running = run(lease, registration);
        }
        if (running.bound) {
          replyTo.tell(new Answer.Registered(lease.port()));
        } else {
          running.waiting.add(replyTo);
        }
      }
    }
  }

  private Running run(Lease lease, TunnelRegistration registration) {
    Loop loop = setup.shared().loops().next();
    var actor =
        context.spawnAnonymous(
            Tunnel.create(
                setup.shared(),
                loop,
                new InetSocketAddress(setup.bind(), lease.port()),
                service(lease, registration),
                boundAdapter),
            DispatcherSelector.fromConfig(loop.dispatcher()));
    var running = new Running(lease, actor, registration);
    tunnels.put(lease.identity(), running);
    return running;
  }

  private static Service service(Lease lease, TunnelRegistration registration) {
    return new Service(
        lease.identity(),
        registration.serviceName(),
        registration.serviceNamespace(),
        registration.servicePort(),
        access(lease.identity(), registration));
  }

  /// Registrations are checked before they come here, but a journal may be older than a check:
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

  private void listens(TunnelIdentity identity) {
    Running running = tunnels.get(identity);
    if (running != null) {
      running.bound = true;
      running.waiting.forEach(waiting -> waiting.tell(new Answer.Registered(running.lease.port())));
      running.waiting.clear();
      log.atInfo()
          .addKeyValue("cluster", identity.cluster())
          .addKeyValue("tunnel", identity.tunnelId())
          .addKeyValue("port", running.lease.port())
          .log("a tunnel listens");
    }
    restored(identity);
  }

  /// Another process has the port: a tunnel that asked for just this one is told so, any other gets
  /// the next port.
  private void failed(TunnelIdentity identity, int port, String why) {
    Running running = tunnels.get(identity);
    if (running == null || running.lease.port() != port) {
      return;
    }
    tunnels.remove(identity);
    log.atWarn()
        .addKeyValue("cluster", identity.cluster())
        .addKeyValue("tunnel", identity.tunnelId())
        .addKeyValue("port", port)
        .addKeyValue("cause", why)
        .log("a public port could not be bound");
    try {
      setup.leases().refusedBySystem(Transport.TCP, port);
      Integer wanted = running.registration.tunnelPort();
      for (ActorRef<Answer> waiting : running.waiting) {
        if (wanted != null) {
          waiting.tell(
              new Answer.Conflict(
                  "public port: " + port + " is in use on the gateway (expected: a free port)"));
        } else {
          answer(identity, running.registration, waiting);
        }
      }
    } catch (IOException e) {
      running.waiting.forEach(waiting ->
          waiting.tell(
              new Answer.Unavailable("the lease could not be written down; try again later")));
    }
    restored(identity);
  }
}
