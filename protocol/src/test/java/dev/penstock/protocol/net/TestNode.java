package dev.penstock.protocol.net;

import com.typesafe.config.ConfigFactory;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.awaitility.Awaitility;

/// Two event loops and an actor system, for one test class.
public final class TestNode implements AutoCloseable {
  /// Longer than anything here takes.
  public static final Duration PATIENCE = Duration.ofSeconds(10);

  private final EventLoops loops;
  private final ActorSystem<Void> actors;

  private TestNode(EventLoops loops, ActorSystem<Void> actors) {
    this.loops = loops;
    this.actors = actors;
  }

  public static TestNode start(EventLoops.Transport transport) {
    return start(transport, "");
  }

  /// With settings on top of those of a node.
  public static TestNode start(EventLoops.Transport transport, String settings) {
    var loops = EventLoops.start(2, transport);
    var config =
        ConfigFactory.parseString(settings)
            .withFallback(loops.dispatchers())
            .withFallback(ConfigFactory.parseResources("dev/penstock/node/node.conf"))
            .withFallback(ConfigFactory.load());
    return new TestNode(loops, ActorSystem.create(Behaviors.empty(), "net-test", config));
  }

  public EventLoops loops() {
    return loops;
  }

  public ActorSystem<Void> actors() {
    return actors;
  }

  public Loop loop() {
    return loops.get(0);
  }

  /// A port of this machine that the system chooses.
  public static InetSocketAddress anyPort() {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
  }

  /// The result; fails with the stage's own failure.
  public static <T> T await(CompletionStage<T> stage) {
    try {
      return stage.toCompletableFuture().get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      Throwable cause = e.getCause();
      while (cause instanceof CompletionException && cause.getCause() != null) {
        cause = cause.getCause();
      }
      throw cause instanceof RuntimeException failure ? failure : new CompletionException(cause);
    } catch (InterruptedException | TimeoutException e) {
      throw new AssertionError("nothing came within " + PATIENCE, e);
    }
  }

  /// Closes `listener` and waits until the port is free: NIO frees it with its loop's next turn.
  public static void end(Tcp.Listener listener) {
    await(listener.close());
    Awaitility.await()
        .atMost(PATIENCE)
        .pollDelay(Duration.ZERO)
        .pollInterval(Duration.ofMillis(5))
        .until(() -> {
          try (var _ = new Socket(listener.address().getAddress(), listener.address().getPort())) {
            return false;
          } catch (ConnectException _) {
            return true;
          }
        });
  }

  @Override
  public void close() {
    actors.terminate();
    await(actors.getWhenTerminated());
    loops.close();
  }
}
