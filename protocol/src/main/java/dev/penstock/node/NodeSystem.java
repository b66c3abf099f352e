package dev.penstock.node;

import com.typesafe.config.ConfigFactory;
import dev.penstock.protocol.net.EventLoops;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.SpawnProtocol;

/// The actor system and the event loops of one node, started and ended together.
public final class NodeSystem implements AutoCloseable {
  private static final Duration END_TIMEOUT = Duration.ofSeconds(10);

  private final EventLoops loops;
  private final ActorSystem<SpawnProtocol.Command> actors;

  private NodeSystem(EventLoops loops, ActorSystem<SpawnProtocol.Command> actors) {
    this.loops = loops;
    this.actors = actors;
  }

  /// Starts `loopCount` loops (0: one per core) and a system named `name` whose guardian spawns
  /// what it is asked to.
  public static NodeSystem start(String name, int loopCount) {
    var loops =
        EventLoops.start(loopCount > 0 ? loopCount : Runtime.getRuntime().availableProcessors());
    var config =
        loops
            .dispatchers()
            .withFallback(ConfigFactory.parseResources(NodeSystem.class, "node.conf"))
            .withFallback(ConfigFactory.load());
    return new NodeSystem(loops, ActorSystem.create(SpawnProtocol.create(), name, config));
  }

  public EventLoops loops() {
    return loops;
  }

  public ActorSystem<SpawnProtocol.Command> actors() {
    return actors;
  }

  /// Ends the actors, then the loops.
  @Override
  public void close() {
    actors.terminate();
    try {
      actors
          .getWhenTerminated()
          .toCompletableFuture()
          .get(END_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException e) {
      // The loops end all the same; nothing that matters is left to wait for.
    }
    loops.close();
  }
}
