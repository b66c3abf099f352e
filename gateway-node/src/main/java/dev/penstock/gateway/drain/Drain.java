package dev.penstock.gateway.drain;

import dev.penstock.gateway.links.Handshakes;
import dev.penstock.gateway.links.LinkSupervisor;
import dev.penstock.gateway.links.NodeDirectory;
import dev.penstock.gateway.links.UdpSessions;
import dev.penstock.gateway.tunnels.PublicDoors;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Does what [DrainPlan] says.
public final class Drain {
  /// What this actor is told.
  public sealed interface Command {}

  /// The node is to end.
  public record Begin() implements Command {}

  private record AgentsMoved() implements Command {}

  private record HandedOver() implements Command {}

  private record Tick() implements Command {}

  /// What is drained, and who is told.
  ///
  /// @param running connections and flows that this node carries or has taken; any thread
  /// @param handOver gives this node's part in the cluster to others, once; any thread
  /// @param reason gets why the node is not ready, whenever that changes
  /// @param over completed when the process may end
  public record Setup(
      DrainSettings settings,
      Handshakes handshakes,
      NodeDirectory nodes,
      ActorRef<LinkSupervisor.Command> links,
      PublicDoors doors,
      UdpSessions udpSessions,
      LongSupplier running,
      Supplier<CompletionStage<Void>> handOver,
      Consumer<String> reason,
      CompletableFuture<Void> over) {}

  private static final Logger log = LoggerFactory.getLogger(Drain.class);
  private static final Duration TICK = Duration.ofMillis(50);

  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final Setup setup;
  private final DrainPlan plan;

  private Drain(ActorContext<Command> context, TimerScheduler<Command> timers, Setup setup) {
    this.context = context;
    this.timers = timers;
    this.setup = setup;
    this.plan = new DrainPlan(setup.settings());
  }

  public static Behavior<Command> create(Setup setup) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          var drain = new Drain(context, timers, setup);
          return Behaviors.receiveMessage(drain::on);
        }));
  }

  private Behavior<Command> on(Command command) {
    switch (command) {
      case Begin() -> plan.begin(System.nanoTime()).forEach(this::take);
      case AgentsMoved() -> plan.agentsMoved();
      case HandedOver() -> plan.handedOver();
      case Tick() -> {
        // What is next is asked below.
      }
    }
    long running = setup.running().getAsLong();
    plan.look(System.nanoTime(), running).forEach(this::take);
    setup.reason().accept(plan.reason(running));
    return Behaviors.same();
  }

  private void take(DrainPlan.Step step) {
    switch (step) {
      case REFUSE_LINKS -> {
        log.atInfo()
            .addKeyValue("grace", setup.settings().grace())
            .addKeyValue("running", setup.running().getAsLong())
            .log("the node drains");
        setup.handshakes().stop();
        timers.startTimerWithFixedDelay(new Tick(), TICK);
      }
      case MOVE_AGENTS -> moveAgents();
      case CLOSE_LISTENERS -> {
        setup.doors().close();
        setup.udpSessions().endQuiet(setup.settings().udpQuiet());
        setup.links().tell(new LinkSupervisor.CloseIdle());
      }
      case HAND_OVER ->
          context.pipeToSelf(
              setup.handOver().get(),
              (_, failed) -> {
                if (failed != null) {
                  log.atWarn().setCause(failed).log("the cluster did not take over in order");
                }
                return new HandedOver();
              });
      case END -> {
        long left = setup.running().getAsLong();
        log.atInfo().addKeyValue("cut", left).log("the node is drained");
        timers.cancelAll();
        setup.over().complete(null);
      }
    }
  }

  private void moveAgents() {
    if (setup.nodes().hasOthers()) {
      setup
          .links()
          .tell(
              new LinkSupervisor.Drain(
                  DrainPlan.LINK_PATIENCE,
                  context.messageAdapter(LinkSupervisor.Moved.class, _ -> new AgentsMoved())));
    } else {
      // There is nowhere to go: agents keep their links to the end, and come back to whoever is
      // here then.
      plan.agentsMoved();
    }
  }
}
