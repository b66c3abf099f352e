package dev.penstock.node;

import dev.penstock.observe.BoundedAppender;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Keeps a process alive until it is told to end (SIGINT, SIGTERM), then ends the node in order. A
/// node that ended as it was told makes the exit code 0, which the JVM by itself would not.
public final class RunningNode {
  private static final Logger log = LoggerFactory.getLogger(RunningNode.class);

  private RunningNode() {}

  /// A node that can leave without anyone noticing.
  public interface Drainable extends AutoCloseable {
    /// Begins to leave, and completes as [#whenDrained]; any thread.
    CompletionStage<Void> drain();

    /// Completes when nothing is left to wait for, whoever asked the node to leave.
    CompletionStage<Void> whenDrained();

    /// Ends at once.
    @Override
    void close() throws IOException;
  }

  /// Blocks until the process is told to end; does not return then.
  public static void untilSignalled(AutoCloseable node) {
    endsAnyWay(node);
    new CompletableFuture<Void>().join();
  }

  /// As [#untilDrained(Drainable, CompletionStage)] for a node that can always go on.
  public static void untilDrained(Drainable node) {
    untilDrained(node, new CompletableFuture<>());
  }

  /// Blocks until the node has drained, for which the first signal asks; a second one ends it at
  /// once. Ends also, with exit code 1, when `fault` completes. Does not return then.
  ///
  /// @param fault with what the node cannot go on from, in words
  public static void untilDrained(Drainable node, CompletionStage<String> fault) {
    var faulty = new AtomicBoolean();
    endsAnyWay(node);
    var hurry = new CompletableFuture<Void>();
    var asked = new CompletableFuture<Void>();
    Signals.handle(() -> {
      if (!asked.complete(null)) {
        hurry.complete(null);
      }
    });
    asked.thenRun(node::drain);
    fault.thenAccept(why -> {
      log.atError().addKeyValue("cause", why).log("the node cannot go on");
      faulty.set(true);
      hurry.complete(null);
    });
    CompletableFuture.anyOf(node.whenDrained().toCompletableFuture(), hurry)
        .handle((_, _) -> null)
        .join();
    end(node, faulty.get() ? 1 : 0);
  }

  /// For signals that are not handled, and for whoever ends the JVM.
  private static void endsAnyWay(AutoCloseable node) {
    Runtime.getRuntime().addShutdownHook(new Thread(() -> end(node, 0), "shutdown"));
  }

  private static void end(AutoCloseable node, int usual) {
    int code = usual;
    try {
      node.close();
    } catch (Exception e) {
      log.atError().setCause(e).log("the node did not end in order");
      code = 1;
    }
    System.out.flush();
    BoundedAppender.flush();
    Runtime.getRuntime().halt(code);
  }
}
