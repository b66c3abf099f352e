package dev.penstock.node;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.penstock.protocol.net.EventLoops;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.pekko.actor.BootstrapSetup;
import org.apache.pekko.actor.setup.ActorSystemSetup;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.SpawnProtocol;

/// The actor system and the event loops of one node, started and ended together.
public final class NodeSystem implements AutoCloseable {
  private static final String END_TIMEOUT = "penstock.node.end-timeout";

  private final EventLoops loops;
  private final ActorSystem<SpawnProtocol.Command> actors;

  private NodeSystem(EventLoops loops, ActorSystem<SpawnProtocol.Command> actors) {
    this.loops = loops;
    this.actors = actors;
  }

  /// Starts `loopCount` loops (0: one per core) and a system named `name` whose guardian spawns
  /// what it is asked to.
  public static NodeSystem start(String name, int loopCount) {
    return start(name, loopCount, List.of());
  }

  /// As [#start(String, int)], with more for the actor system, such as what makes it a member of a
  /// cluster; the first of `more` to set a key decides, over what every node is given.
  public static NodeSystem start(String name, int loopCount, List<Config> more) {
    var loops =
        EventLoops.start(loopCount > 0 ? loopCount : Runtime.getRuntime().availableProcessors());
    ClassLoader usual = NodeSystem.class.getClassLoader();
    ClassLoader libraries = more.isEmpty() ? new LocalLibraries(usual) : usual;
    try {
      Config config = loops.dispatchers();
      for (Config part : more) {
        config = config.withFallback(part);
      }
      config =
          config
              .withFallback(ConfigFactory.parseResources(NodeSystem.class, "node.conf"))
              .withFallback(ConfigFactory.load(libraries))
              .resolve();
      var setup = ActorSystemSetup.create(BootstrapSetup.create(config).withClassloader(libraries));
      return new NodeSystem(loops, ActorSystem.create(SpawnProtocol.create(), name, setup));
    } catch (RuntimeException e) {
      loops.close();
      throw e;
    }
  }

  public EventLoops loops() {
    return loops;
  }

  public ActorSystem<SpawnProtocol.Command> actors() {
    return actors;
  }

  /// Ends the actors, a member of a cluster by leaving it, then the loops.
  @Override
  public void close() {
    actors.terminate();
    try {
      actors
          .getWhenTerminated()
          .toCompletableFuture()
          .get(endTimeout().toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException e) {
      // The loops end all the same; nothing that matters is left to wait for.
    }
    loops.close();
  }

  private Duration endTimeout() {
    return actors.settings().config().getDuration(END_TIMEOUT);
  }
}
